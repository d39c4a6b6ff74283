/**
 * Ends of executions that somebody wants to hear of. A row is written in the transaction that ends the execution, and goes
 * when whoever tells them has answered for it; until then it is told again, later each time. So an end may be told twice,
 * never not at all, and one that cannot be told holds up no other.
 */
import { logError } from "../core/log.ts";
import { inPieces } from "../core/pieces.ts";
import { within } from "../core/within.ts";
import type { ExecutionStatus } from "../model/execution-states.ts";
import type { EndNote, Wanted } from "../model/ended.ts";
import { jitter } from "./decide.ts";

type Ports = {
  sql: SqlStorage;
  /** Tells them, JSON of EndNote[]; answers the ids that need not be told again, as JSON. */
  tell(notes: string): Promise<string>;
  /** One transaction. */
  write(work: (now: number) => void): void;
  /** Nothing is lost if this object ends now: it is to be woken by then. */
  wake(at: number): void;
  now(): number;
};

const TABLE = `
  CREATE TABLE IF NOT EXISTS outbox (
    id TEXT PRIMARY KEY, "group" TEXT NOT NULL, tries INTEGER NOT NULL, due INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS outbox_by_due ON outbox (due);
`;

/** Told with one message. */
const GROUP = 50;
/** Ends come in crowds: those of a moment go together. */
const GATHER_MS = 10;
/** One that failed so often with others is told by itself. */
const ALONE_AFTER = 3;
const PATIENCE_MS = 60_000;
/** Until rows are told that this object has forgotten about, because it ended. */
const FORGOTTEN_MS = 10_000;
const RETRY = { initial_ms: 500, max_ms: 60_000 };
const PIECE_CHARS = 500_000;

type Row = { id: string; group: string; tries: number };

export class Outbox {
  readonly #ports: Ports;
  #telling = false;
  #gathering = false;

  constructor(ports: Ports) {
    this.#ports = ports;
    ports.sql.exec(TABLE);
  }

  /** Within the transaction that ends them. */
  add(notes: readonly EndNote[]): void {
    if (notes.length === 0) return;
    const ports = this.#ports;
    const texts = notes.map(({ id, group }) => JSON.stringify([id, group]));
    for (const piece of inPieces(texts, ({ length }) => length, PIECE_CHARS)) {
      ports.sql.exec(
        `INSERT INTO outbox (id, "group", tries, due) SELECT value ->> 0, value ->> 1, 0, ? FROM json_each(?)
         WHERE true ON CONFLICT (id) DO NOTHING`,
        ports.now(),
        `[${piece.join(",")}]`,
      );
    }
    ports.wake(ports.now() + FORGOTTEN_MS);
    this.#soon();
  }

  /** When the next is to be told; undefined: there is none. */
  nextDue(): number | undefined {
    if (this.#telling) return this.#ports.now() + FORGOTTEN_MS;
    const { due } = this.#ports.sql.exec<{ due: number | null }>("SELECT min(due) AS due FROM outbox").one();
    return due ?? undefined;
  }

  /** The clock was. */
  putBack(now: number): void {
    this.#ports.sql.exec("UPDATE outbox SET due = ? WHERE due > ?", now, now);
  }

  /** Those of the executions that are still to be told of: they must be kept until then. */
  holds(ids: readonly string[]): ReadonlySet<string> {
    const rows = this.#ports.sql.exec<{ id: string }>(
      "SELECT id FROM outbox WHERE id IN (SELECT value FROM json_each(?))",
      JSON.stringify(ids),
    );
    return new Set([...rows].map(({ id }) => id));
  }

  /** Tells what is due, group after group, unless that is under way. Rejects only when this object has ended. */
  async send(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let rows = this.#due(); rows.length > 0; rows = this.#due()) await this.#tell(rows);
    } finally {
      this.#telling = false;
      const next = this.nextDue();
      if (next !== undefined) this.#ports.write(() => this.#ports.wake(next));
    }
  }

  #soon(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    setTimeout(() => {
      this.#gathering = false;
      void this.send();
    }, GATHER_MS);
  }

  #due(): Row[] {
    const rows = this.#ports.sql
      .exec<Row>('SELECT id, "group", tries FROM outbox WHERE due <= ? ORDER BY due LIMIT ?', this.#ports.now(), GROUP)
      .toArray();
    const alone = rows.find(({ tries }) => tries >= ALONE_AFTER);
    return alone === undefined ? rows : [alone];
  }

  async #tell(rows: readonly Row[]): Promise<void> {
    const ports = this.#ports;
    let told: readonly string[] = [];
    try {
      const answer = await within(
        PATIENCE_MS,
        ports.tell(JSON.stringify(rows.map(({ id, group }) => ({ id, group })))),
      );
      if (answer === undefined) throw new Error(`no answer within ${PATIENCE_MS} ms`);
      told = JSON.parse(answer.value) as string[];
    } catch (error) {
      logError("executions: cannot tell of ends yet", error);
    }
    const done = new Set(told);
    ports.write((now) => {
      ports.sql.exec("DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))", JSON.stringify(told));
      const again = rows
        .filter(({ id }) => !done.has(id))
        .map(({ id, tries }) => [id, Math.ceil(now + jitter(RETRY, tries + 1, Math.random))]);
      if (again.length === 0) return;
      ports.sql.exec(
        `UPDATE outbox SET tries = tries + 1, due = value ->> 1 FROM json_each(?) WHERE outbox.id = value ->> 0`,
        JSON.stringify(again),
      );
    });
  }
}

/** The note that it leaves when it is so; none while nobody wants to hear of that. */
export function notesOf(id: string, status: ExecutionStatus, ...wanted: (Wanted | undefined)[]): EndNote[] {
  const found = wanted.find((each) => each?.on.includes(status) === true);
  return found === undefined ? [] : [{ id, group: found.group }];
}
