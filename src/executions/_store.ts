/**
 * The statements of a shard. Groups go through json_each(), one statement for all: a statement a row costs several times
 * as much.
 */
import { CALLER_TYPES } from "../model/principal.ts";
import { inPieces } from "../core/pieces.ts";
import type { ExecutionStatus } from "../model/execution-states.ts";
import type { ExecutionLogLine } from "../model/execution.ts";
import type { LogLine } from "../model/invocation.ts";
import type { ItemOutcome } from "../model/outcome.ts";
import type { KeyClaim, Payload, Tail } from "./messages.ts";
import { afterLogSeq, toLogLine, type LogRow } from "./view.ts";
import { TABLES, type Row } from "./_tables.ts";

/** `head` as it is to be kept, parsed. */
export type NewRow = Omit<Row, "version" | "head" | "tail"> & { head: object; tail: Tail; input?: Payload };

export type RowChange = { seq: number; status: ExecutionStatus; ready: 0 | 1; due: number | null; tail: Tail };

export type StoredLine = { seq: number; attempt: number; line: number } & LogLine;

/** A group's rows travel as arrays: finding members by name costs nearly as much again as storing them. */
const columns = (count: number): string => Array.from({ length: count }, (_, at) => `value ->> ${at}`).join(", ");
const [COLUMNS_3, COLUMNS_4, COLUMNS_12] = [columns(3), columns(4), columns(12)];

/** SQLite takes about 2 MB as one value, and a character may be three bytes. One row of the largest payload fits by itself. */
const PIECE_CHARS = 500_000;

function columnsOf(payload: Payload): [text: string | null, key: string | null] {
  return "text" in payload ? [payload.text, null] : [null, payload.key];
}

export class Store {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    // The first version kept records of synchronous calls only, for a week, in a table of the same name.
    if (sql.exec("SELECT 1 FROM pragma_table_info('executions') WHERE name = 'record'").toArray().length > 0) {
      sql.exec("DROP TABLE executions");
    }
    sql.exec(TABLES);
  }

  highestSeq(): number {
    return this.#sql.exec<{ seq: number | null }>("SELECT max(seq) AS seq FROM executions").one().seq ?? 0;
  }

  /** Rows whose id is there already are left as they are. */
  insert(rows: readonly NewRow[]): void {
    this.#execForAll(
      `INSERT INTO executions (seq, id, operation, status, trigger, parent, lane, ready, due, attempt, head, tail, version)
       SELECT ${COLUMNS_12}, 1 FROM json_each(?) WHERE true ON CONFLICT (id) DO NOTHING`,
      rows.map((row) => [
        row.seq,
        row.id,
        row.operation,
        row.status,
        row.trigger,
        row.parent,
        row.lane,
        row.ready,
        row.due,
        row.attempt,
        JSON.stringify(row.head),
        JSON.stringify(row.tail),
      ]),
    );
    this.#execForAll(
      `INSERT INTO inputs (seq, text, key) SELECT ${COLUMNS_3} FROM json_each(?)`,
      rows.flatMap(({ seq, input }) => (input === undefined ? [] : [[seq, ...columnsOf(input)]])),
    );
  }

  /** One statement for many rows, or a few where they are large. */
  #execForAll(statement: string, rows: readonly unknown[]): void {
    const texts = rows.map((row) => JSON.stringify(row));
    for (const piece of inPieces(texts, ({ length }) => length, PIECE_CHARS)) {
      this.#sql.exec(statement, `[${piece.join(",")}]`);
    }
  }

  change(changes: readonly RowChange[]): void {
    this.#execForAll(
      `UPDATE executions SET status = value ->> 1, ready = value ->> 2, due = value ->> 3, tail = value ->> 4,
         version = version + 1
       FROM json_each(?) WHERE executions.seq = value ->> 0`,
      changes.map(({ seq, status, ready, due, tail }) => [seq, status, ready, due, JSON.stringify(tail)]),
    );
  }

  /** The rows become attempts under way. */
  start(seqs: readonly number[], now: number): void {
    this.#sql.exec(
      `UPDATE executions SET status = 'running', ready = 0, due = NULL, attempt = attempt + 1, version = version + 1,
         tail = json_set(tail, '$.started_at', ?)
       WHERE seq IN (SELECT value FROM json_each(?))`,
      now,
      JSON.stringify(seqs),
    );
  }

  addOutputs(outputs: readonly ({ seq: number; sha256: string } & Payload)[]): void {
    this.#execForAll(
      `INSERT OR REPLACE INTO outputs (seq, sha256, text, key) SELECT ${COLUMNS_4} FROM json_each(?)`,
      outputs.map((output) => [output.seq, output.sha256, ...columnsOf(output)]),
    );
  }

  /** Lines that are there already, sent while the handler ran, stay as they are. */
  addLogs(lines: readonly StoredLine[]): void {
    this.#execForAll(
      `INSERT OR IGNORE INTO logs (seq, attempt, line, at, level, message)
       SELECT value ->> 'seq', value ->> 'attempt', value ->> 'line', value ->> 'at_ms', value ->> 'level',
         value ->> 'message' FROM json_each(?)`,
      lines,
    );
  }

  find(id: string): Row | undefined {
    return this.#sql.exec<Row>("SELECT * FROM executions WHERE id = ?", id).toArray()[0];
  }

  findAll(ids: readonly string[]): Row[] {
    return this.#sql
      .exec<Row>("SELECT * FROM executions WHERE id IN (SELECT value FROM json_each(?))", JSON.stringify(ids))
      .toArray();
  }

  /** Those of the ids that are there. */
  statusesOf(ids: readonly string[]): ReadonlyMap<string, ExecutionStatus> {
    const rows = this.#sql.exec<{ id: string; status: string }>(
      "SELECT id, status FROM executions WHERE id IN (SELECT value FROM json_each(?))",
      JSON.stringify(ids),
    );
    return new Map([...rows].map(({ id, status }) => [id, status as ExecutionStatus]));
  }

  running(): Row[] {
    return this.#sql
      .exec<Row>(
        `SELECT * FROM executions INDEXED BY by_trigger WHERE trigger IN (SELECT value FROM json_each(?))
           AND status = 'running'`,
        JSON.stringify(CALLER_TYPES),
      )
      .toArray();
  }

  lanesWithReady(): string[] {
    return this.#sql
      .exec<{ lane: string }>("SELECT DISTINCT lane FROM executions WHERE ready = 1")
      .toArray()
      .map(({ lane }) => lane);
  }

  readyIn(lane: string, limit: number): Row[] {
    return this.#sql
      .exec<Row>("SELECT * FROM executions WHERE lane = ? AND ready = 1 ORDER BY seq LIMIT ?", lane, limit)
      .toArray();
  }

  countReady(lane?: string): number {
    const query =
      lane === undefined
        ? this.#sql.exec<{ n: number }>("SELECT count(*) AS n FROM executions WHERE ready = 1")
        : this.#sql.exec<{ n: number }>("SELECT count(*) AS n FROM executions WHERE ready = 1 AND lane = ?", lane);
    return query.one().n;
  }

  dueBy(now: number, limit: number): Row[] {
    return this.#sql.exec<Row>("SELECT * FROM executions WHERE due <= ? ORDER BY due LIMIT ?", now, limit).toArray();
  }

  /** When the next row is due, or the next key is forgotten; undefined: never. */
  nextDue(): number | undefined {
    const { due } = this.#sql
      .exec<{ due: number | null }>(
        `SELECT min(at) AS due FROM (SELECT min(due) AS at FROM executions WHERE due IS NOT NULL
           UNION ALL SELECT min(expires_at) AS at FROM keys)`,
      )
      .one();
    return due ?? undefined;
  }

  /** Those that wait for their delay or their next attempt, not those that expire or are kept. */
  putBack(byMs: number, now: number): void {
    this.#sql.exec(
      "UPDATE executions SET due = max(due - ?, ?) WHERE due > ? AND ready = 0 AND status IN ('queued', 'retrying')",
      byMs,
      now,
      now,
    );
  }

  input(seq: number): Payload | undefined {
    return this.#payload("inputs", seq);
  }

  output(seq: number): Payload | undefined {
    return this.#payload("outputs", seq);
  }

  #payload(table: "inputs" | "outputs", seq: number): Payload | undefined {
    const [row] = this.#sql
      .exec<{ text: string | null; key: string | null }>(`SELECT text, key FROM ${table} WHERE seq = ?`, seq)
      .toArray();
    if (row === undefined) return undefined;
    return row.key === null ? { text: row.text ?? "null" } : { key: row.key };
  }

  items(seq: number): Record<string, ItemOutcome> {
    const rows = this.#sql
      .exec<{ place: number; outcome: string }>("SELECT place, outcome FROM items WHERE seq = ?", seq)
      .toArray();
    return Object.fromEntries(rows.map(({ place, outcome }) => [place, JSON.parse(outcome) as ItemOutcome]));
  }

  addItems(seq: number, items: Readonly<Record<string, ItemOutcome>>): void {
    this.#execForAll(
      `INSERT OR REPLACE INTO items (seq, place, outcome) SELECT ${COLUMNS_3} FROM json_each(?)`,
      Object.entries(items).map(([place, outcome]) => [seq, Number(place), JSON.stringify(outcome)]),
    );
  }

  copyGoodItems(from: number, to: number): void {
    this.#sql.exec(
      "INSERT INTO items (seq, place, outcome) SELECT ?, place, outcome FROM items WHERE seq = ? AND outcome ->> 'ok'",
      to,
      from,
    );
  }

  key(hash: string, now: number): { execution: string; input: string } | undefined {
    return this.#sql
      .exec<{ execution: string; input: string }>(
        "SELECT execution, input FROM keys WHERE hash = ? AND expires_at > ?",
        hash,
        now,
      )
      .toArray()[0];
  }

  claimKey({ hash, input, expires_at: expiresAt }: KeyClaim, execution: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", hash, execution, input, expiresAt);
  }

  forgetKeys(now: number, limit: number): void {
    this.#sql.exec(
      "DELETE FROM keys WHERE hash IN (SELECT hash FROM keys WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
      now,
      limit,
    );
  }

  logs(seq: number, { after, limit }: { after: number; limit: number }): ExecutionLogLine[] {
    const { attempt, line } = afterLogSeq(after);
    return this.#sql
      .exec<LogRow>(
        `SELECT attempt, line, at, level, message FROM logs
         WHERE seq = ? AND (attempt, line) > (?, ?) ORDER BY attempt, line LIMIT ?`,
        seq,
        attempt,
        line,
        limit,
      )
      .toArray()
      .map(toLogLine);
  }

  /** Objects of the artifact store that hold payloads of these executions. */
  payloadKeys(seqs: readonly number[]): string[] {
    const text = JSON.stringify(seqs);
    return this.#sql
      .exec<{ key: string }>(
        `SELECT key FROM inputs WHERE key IS NOT NULL AND seq IN (SELECT value FROM json_each(?))
         UNION SELECT key FROM outputs WHERE key IS NOT NULL AND seq IN (SELECT value FROM json_each(?))`,
        text,
        text,
      )
      .toArray()
      .map(({ key }) => key);
  }

  /** Those of the keys that a row names: each has its execution's id in it. */
  namedPayloads(keys: readonly string[]): ReadonlySet<string> {
    const seqs = keys.flatMap((key) => this.find(key.split("/")[1] ?? "")?.seq ?? []);
    return new Set(this.payloadKeys(seqs));
  }

  postpone(seqs: readonly number[], due: number): void {
    this.#sql.exec(
      "UPDATE executions SET due = ? WHERE seq IN (SELECT value FROM json_each(?))",
      due,
      JSON.stringify(seqs),
    );
  }

  unfinishedChildren(parent: string): string[] {
    return this.#sql
      .exec<{ id: string }>(
        "SELECT id FROM executions WHERE parent = ? AND status IN ('queued', 'running', 'retrying')",
        parent,
      )
      .toArray()
      .map(({ id }) => id);
  }

  /** Its children, in whatever shard, have still to be cancelled. */
  noteCancelled(id: string): void {
    this.#sql.exec("INSERT OR IGNORE INTO cancelled VALUES (?)", id);
  }

  cancelled(): string[] {
    return this.#sql
      .exec<{ id: string }>("SELECT id FROM cancelled LIMIT 100")
      .toArray()
      .map(({ id }) => id);
  }

  forgetCancelled(ids: readonly string[]): void {
    this.#sql.exec("DELETE FROM cancelled WHERE id IN (SELECT value FROM json_each(?))", JSON.stringify(ids));
  }

  /** Everything of these executions that is in this database. */
  remove(seqs: readonly number[]): void {
    const text = JSON.stringify(seqs);
    for (const table of ["executions", "inputs", "outputs", "items", "logs"]) {
      this.#sql.exec(`DELETE FROM ${table} WHERE seq IN (SELECT value FROM json_each(?))`, text);
    }
  }

  /** Whether this object last ran in the same life of the platform. Notes the new one. */
  sameIncarnation(name: string): boolean {
    const [row] = this.#sql.exec<{ name: string }>("SELECT name FROM incarnation").toArray();
    if (row?.name === name) return true;
    this.#sql.exec("INSERT OR REPLACE INTO incarnation VALUES (1, ?)", name);
    return false;
  }
}
