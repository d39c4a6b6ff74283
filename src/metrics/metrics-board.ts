/**
 * The one object that all isolates add to: counters here outlive every isolate. A message counts once, however often it is
 * sent: each isolate numbers its own. Names are bounded, so that nobody can fill the table by naming things.
 */
import { DurableObject } from "cloudflare:workers";
import { isErrorCode } from "../core/errors.ts";
import { cellsOf, INSTRUMENTS, isInstrument, OTHER, type Delta, type Label } from "../telemetry/instruments.ts";

/** What one isolate tells. `seq` grows by one with each message of the source. */
export type Report = { source: string; seq: number; deltas: Delta[] };

const MAX_NAMES = { operation: 1_000, environment: 200 } as const;
/** Series in all: the product of both would be too many. */
const MAX_SERIES = 20_000;
/** A name of which nothing was heard for so long makes room for a new one. */
const FORGOTTEN_MS = 30 * 24 * 60 * 60_000;
/** How long a message may be repeated. */
const REPEATED_MS = 60 * 60_000;

const TABLES = `
  CREATE TABLE IF NOT EXISTS series (key TEXT PRIMARY KEY, operation TEXT, environment TEXT, cells TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS names (kind TEXT, name TEXT, seen_at INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS sources (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
`;

export class MetricsBoard extends DurableObject {
  readonly #sql: SqlStorage;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#sql = state.storage.sql;
    this.#sql.exec(TABLES);
  }

  /** JSON of a Report. What was counted already is not counted again. */
  add(text: string): void {
    const { source, seq, deltas } = JSON.parse(text) as Report;
    const now = Date.now();
    this.ctx.storage.transactionSync(() => {
      const [last] = this.#sql.exec<{ seq: number }>("SELECT seq FROM sources WHERE id = ?", source);
      if (last !== undefined && last.seq >= seq) return;
      this.#sql.exec(
        "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq, at = excluded.at",
        source,
        seq,
        now,
      );
      this.#sql.exec("DELETE FROM sources WHERE at < ?", now - REPEATED_MS);
      const known = new Map<string, string>();
      for (const delta of deltas) if (isInstrument(delta[0])) this.#grow(delta, known, now);
    });
  }

  /** JSON of Delta[]: all that was ever counted. */
  read(): string {
    const rows = this.#sql.exec<{ key: string; cells: string }>("SELECT key, cells FROM series ORDER BY key");
    return `[${[...rows].map(({ key, cells }) => `${key.slice(0, -1)},${cells}]`).join(",")}]`;
  }

  #grow([instrument, given, grown]: Delta, known: Map<string, string>, now: number): void {
    const names: readonly Label[] = INSTRUMENTS[instrument].labels;
    let labels = names.map((label, place) => this.#bounded(label, given[place] ?? "", known, now));
    let row = this.#find(instrument, labels);
    if (row.cells === undefined && this.#count("series") >= MAX_SERIES) {
      labels = labels.map((value, place) => (isName(names[place]) && value !== "" ? OTHER : value));
      row = this.#find(instrument, labels);
    }
    const before = row.cells === undefined ? [] : (JSON.parse(row.cells) as number[]);
    const cells = Array.from(
      { length: cellsOf(instrument) },
      (_, place) => (before[place] ?? 0) + (Number(grown[place]) || 0),
    );
    const named = (label: Label) => labels[names.indexOf(label)] ?? null;
    this.#sql.exec(
      "INSERT INTO series VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET cells = excluded.cells",
      row.key,
      named("operation"),
      named("environment"),
      JSON.stringify(cells),
    );
  }

  #find(instrument: string, labels: readonly string[]): { key: string; cells: string | undefined } {
    const key = JSON.stringify([instrument, labels]);
    const [row] = this.#sql.exec<{ cells: string }>("SELECT cells FROM series WHERE key = ?", key);
    return { key, cells: row?.cells };
  }

  /** The value as it may be counted. */
  #bounded(label: Label, value: string, known: Map<string, string>, now: number): string {
    if (label === "code") return value === "" || isErrorCode(value) ? value : OTHER;
    if (!isName(label) || value === "" || value === OTHER) return value.slice(0, 64);
    const key = `${label} ${value}`;
    const answer = known.get(key) ?? this.#admit(label, value, now);
    known.set(key, answer);
    return answer;
  }

  #admit(kind: keyof typeof MAX_NAMES, name: string, now: number): string {
    const [found] = this.#sql.exec(
      "UPDATE names SET seen_at = ? WHERE kind = ? AND name = ? RETURNING 1",
      now,
      kind,
      name,
    );
    if (found !== undefined) return name;
    if (this.#count("names", kind) >= MAX_NAMES[kind]) {
      const [oldest] = this.#sql.exec<{ name: string }>(
        "SELECT name FROM names WHERE kind = ? AND seen_at < ? ORDER BY seen_at LIMIT 1",
        kind,
        now - FORGOTTEN_MS,
      );
      if (oldest === undefined) return OTHER;
      this.#sql.exec("DELETE FROM names WHERE kind = ? AND name = ?", kind, oldest.name);
      this.#sql.exec(`DELETE FROM series WHERE ${kind} = ?`, oldest.name);
    }
    this.#sql.exec("INSERT INTO names VALUES (?, ?, ?)", kind, name, now);
    return name;
  }

  #count(table: "series" | "names", kind?: string): number {
    const where = kind === undefined ? "" : "WHERE kind = ?";
    const [row] = this.#sql.exec<{ n: number }>(
      `SELECT count(*) AS n FROM ${table} ${where}`,
      ...(kind === undefined ? [] : [kind]),
    );
    return row?.n ?? 0;
  }
}

function isName(label: Label | undefined): label is keyof typeof MAX_NAMES {
  return label === "operation" || label === "environment";
}
