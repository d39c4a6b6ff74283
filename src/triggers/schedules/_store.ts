/**
 * The tables and statements of one scheduler object. Groups go through json_each(), one statement for all.
 *
 * `cursor`: every due time up to it has been decided. `next_at`: when the next must be. A firing is open as long as it has a
 * `retry_at`, the time at which it is (again) to be started; while somebody starts it, that lies a lease ahead. `ended` is
 * known of an execution once somebody looked, or was told.
 */
import { LIMITS } from "../../core/limits.ts";
import type { Closing, Known, NewFiring, OpenFiring, Spec } from "./_decide.ts";
import type { ScheduleRow } from "./messages.ts";

const TABLES = `
  CREATE TABLE IF NOT EXISTS schedules (
    name TEXT PRIMARY KEY, digest TEXT NOT NULL, active INTEGER NOT NULL, serial INTEGER NOT NULL, spec TEXT NOT NULL,
    cursor INTEGER NOT NULL, next_at INTEGER, remembered INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS firings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, due INTEGER NOT NULL, status TEXT NOT NULL,
    manual INTEGER NOT NULL DEFAULT 0, made_up INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    retry_at INTEGER, sent_at INTEGER, fired_at INTEGER, reason TEXT, execution_id TEXT, ended INTEGER NOT NULL DEFAULT 0
  );
  CREATE UNIQUE INDEX IF NOT EXISTS firings_due ON firings (name, due) WHERE manual = 0;
  CREATE INDEX IF NOT EXISTS firings_of ON firings (name, seq);
  CREATE INDEX IF NOT EXISTS firings_retry ON firings (retry_at) WHERE retry_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS firings_open ON firings (name, seq) WHERE retry_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS firings_running ON firings (name) WHERE ended = 0 AND execution_id IS NOT NULL;
  CREATE TABLE IF NOT EXISTS looked (
    one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, at INTEGER NOT NULL, behind INTEGER NOT NULL
  );
  INSERT OR IGNORE INTO looked VALUES (1, 0, 0, 0);
`;

/** Rows over the limit before they are removed, so that it is not done for each. */
const SLACK = 50;
/** Of the executions that may still go on, the newest are looked at. */
const PREVIOUS = 10;

export type FiringStatus = "pending" | "queued" | "fired" | "skipped" | "failed" | "missed";
export type FiringRow = {
  seq: number;
  name: string;
  due: number;
  status: FiringStatus;
  manual: number;
  made_up: number;
  tries: number;
  retry_at: number | null;
  sent_at: number | null;
  fired_at: number | null;
  reason: string | null;
  execution_id: string | null;
};
export type Ready = Pick<FiringRow, "seq" | "name" | "due" | "tries" | "made_up" | "sent_at"> & {
  digest: string;
  spec: Spec;
};
export type Decided = {
  name: string;
  cursor: number;
  nextAt: number | null;
  firings: NewFiring[];
  closings: Closing[];
};
/** What became of one that was to be started. `retryAt`: it stays open. */
export type Noted = {
  seq: number;
  status: FiringStatus;
  retryAt: number | null;
  tries: number;
  firedAt: number | null;
  reason: string | null;
  execution: string | null;
};

export class Store {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(TABLES);
  }

  looked(): { revision: number; at: number; behind: boolean } {
    const row = this.#sql.exec<{ revision: number; at: number; behind: number }>("SELECT * FROM looked").one();
    return { ...row, behind: row.behind === 1 };
  }

  noteLook(revision: number, at: number): void {
    this.#sql.exec("UPDATE looked SET revision = ?, at = ?, behind = 0", revision, at);
  }

  /** What changed is not known yet, and must be asked for again. */
  noteBehind(): void {
    this.#sql.exec("UPDATE looked SET behind = 1");
  }

  schedule(name: string): (Known & { digest: string; active: boolean; nextAt: number | null }) | undefined {
    const row = this.#sql
      .exec<{ digest: string; active: number; spec: string; cursor: number; next_at: number | null }>(
        "SELECT digest, active, spec, cursor, next_at FROM schedules WHERE name = ?",
        name,
      )
      .toArray()[0];
    if (row === undefined) return undefined;
    const { digest, active, spec, cursor, next_at: nextAt } = row;
    return { name, digest, active: active === 1, spec: JSON.parse(spec) as Spec, cursor, nextAt };
  }

  put(
    { name, digest, active, spec }: ScheduleRow,
    { cursor, nextAt }: { cursor: number; nextAt: number | null },
  ): void {
    this.#sql.exec(
      `INSERT INTO schedules (name, digest, active, serial, spec, cursor, next_at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, active = excluded.active, serial = excluded.serial,
         spec = excluded.spec, cursor = excluded.cursor, next_at = excluded.next_at`,
      name,
      digest,
      active ? 1 : 0,
      spec.overlap === "allow" ? 0 : 1,
      JSON.stringify(spec),
      cursor,
      nextAt,
    );
  }

  remove(name: string): void {
    this.#sql.exec("DELETE FROM schedules WHERE name = ?", name);
    this.#sql.exec("DELETE FROM firings WHERE name = ?", name);
  }

  /** Those that have a due time to decide. */
  due(now: number, limit: number): Known[] {
    return this.#sql
      .exec<{ name: string; spec: string; cursor: number }>(
        "SELECT name, spec, cursor FROM schedules WHERE next_at <= ? ORDER BY next_at LIMIT ?",
        now,
        limit,
      )
      .toArray()
      .map(({ name, spec, cursor }) => ({ name, spec: JSON.parse(spec) as Spec, cursor }));
  }

  /** Open firings by the schedules' names, in the order in which they became due. */
  open(names: readonly string[], inFlight: ReadonlySet<number>): Map<string, OpenFiring[]> {
    const rows = this.#sql
      .exec<{ seq: number; name: string; due: number; status: "pending" | "queued" }>(
        `SELECT seq, name, due, status FROM firings INDEXED BY firings_open
         WHERE retry_at IS NOT NULL AND name IN (SELECT value FROM json_each(?)) ORDER BY seq`,
        JSON.stringify(names),
      )
      .toArray();
    const all = rows.map(({ name, ...row }) => ({ name, firing: { ...row, inFlight: inFlight.has(row.seq) } }));
    return new Map(
      [...Map.groupBy(all, ({ name }) => name)].map(([name, some]) => [name, some.map(({ firing }) => firing)]),
    );
  }

  decide(decided: readonly Decided[], now: number): void {
    this.#sql.exec(
      `UPDATE schedules SET cursor = value ->> 1, next_at = value ->> 2, remembered = remembered + (value ->> 3)
       FROM json_each(?) WHERE name = value ->> 0`,
      JSON.stringify(decided.map(({ name, cursor, nextAt, firings }) => [name, cursor, nextAt, firings.length])),
    );
    const rows = decided.flatMap(({ name, firings }) =>
      firings.map(({ due, status, madeUp, reason }) => [
        name,
        due,
        status,
        madeUp ? 1 : 0,
        status === "pending" ? now : null,
        reason,
      ]),
    );
    if (rows.length > 0) {
      this.#sql.exec(
        `INSERT OR IGNORE INTO firings (name, due, status, made_up, retry_at, reason)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?)`,
        JSON.stringify(rows),
      );
    }
    this.close(decided.flatMap(({ closings }) => closings));
    this.#forget(decided.map(({ name }) => name));
  }

  close(closings: readonly Closing[]): void {
    if (closings.length === 0) return;
    this.#sql.exec(
      `UPDATE firings SET status = value ->> 1, reason = value ->> 2, retry_at = NULL
       FROM json_each(?) WHERE seq = value ->> 0`,
      JSON.stringify(closings.map(({ seq, status, reason }) => [seq, status, reason])),
    );
  }

  /** Those whose time has come, leased until then. Where executions must not overlap, only the first of each schedule. */
  take(now: number, limit: number, leasedUntil: number): Ready[] {
    const rows = this.#sql
      .exec<Omit<Ready, "spec"> & { spec: string }>(
        `SELECT f.seq, f.name, f.due, f.tries, f.made_up, f.sent_at, s.digest, s.spec
         FROM firings f JOIN schedules s ON s.name = f.name
         WHERE f.retry_at <= ? AND (s.serial = 0 OR NOT EXISTS (
           SELECT 1 FROM firings e WHERE e.name = f.name AND e.retry_at IS NOT NULL AND e.seq < f.seq))
         ORDER BY f.retry_at, f.seq LIMIT ?`,
        now,
        limit,
      )
      .toArray();
    if (rows.length === 0) return [];
    this.#sql.exec(
      `UPDATE firings SET retry_at = ?, sent_at = coalesce(sent_at, ?) WHERE seq IN (SELECT value FROM json_each(?))`,
      leasedUntil,
      now,
      JSON.stringify(rows.map(({ seq }) => seq)),
    );
    return rows.map((row) => Object.assign(row, { spec: JSON.parse(row.spec) as Spec }));
  }

  /** Executions that may still go on, by the schedules' names, newest first. */
  running(names: readonly string[]): Map<string, string[]> {
    const rows = this.#sql
      .exec<{ name: string; execution_id: string }>(
        `SELECT name, execution_id FROM firings INDEXED BY firings_running
         WHERE ended = 0 AND execution_id IS NOT NULL AND name IN (SELECT value FROM json_each(?)) ORDER BY seq DESC`,
        JSON.stringify(names),
      )
      .toArray();
    const grouped = Map.groupBy(rows, ({ name }) => name);
    return new Map([...grouped].map(([name, some]) => [name, some.slice(0, PREVIOUS).map((row) => row.execution_id)]));
  }

  note(noted: readonly Noted[], ended: readonly string[]): void {
    this.#sql.exec(
      `UPDATE firings SET status = value ->> 1, retry_at = value ->> 2, tries = value ->> 3, fired_at = value ->> 4,
         reason = value ->> 5, execution_id = value ->> 6 FROM json_each(?) WHERE seq = value ->> 0`,
      JSON.stringify(
        noted.map((each) => [
          each.seq,
          each.status,
          each.retryAt,
          each.tries,
          each.firedAt,
          each.reason,
          each.execution,
        ]),
      ),
    );
    if (ended.length > 0) {
      this.#sql.exec(
        "UPDATE firings SET ended = 1 WHERE ended = 0 AND execution_id IN (SELECT value FROM json_each(?))",
        JSON.stringify(ended),
      );
    }
  }

  /** One that somebody started by hand. */
  addManual(name: string, firing: { at: number; execution: string | null }): void {
    const { at, execution } = firing;
    this.#sql.exec(
      "INSERT INTO firings (name, due, status, manual, fired_at, reason, execution_id) VALUES (?, ?, 'fired', 1, ?, ?, ?)",
      name,
      at,
      at,
      "started by hand",
      execution,
    );
    this.#sql.exec("UPDATE schedules SET remembered = remembered + 1 WHERE name = ?", name);
    this.#forget([name]);
  }

  /** What waited for this execution may start. */
  ended(name: string, execution: string, now: number): void {
    this.#sql.exec("UPDATE firings SET ended = 1 WHERE name = ? AND execution_id = ?", name, execution);
    this.#sql.exec(
      "UPDATE firings SET retry_at = min(retry_at, ?) WHERE name = ? AND retry_at IS NOT NULL AND status = 'queued'",
      now,
      name,
    );
  }

  /** Whatever is open may be started now. Answers whether there is any. */
  release(now: number): boolean {
    this.#sql.exec("UPDATE firings SET retry_at = ? WHERE retry_at > ?", now, now);
    return this.#sql.exec("SELECT 1 FROM firings WHERE retry_at IS NOT NULL LIMIT 1").toArray().length > 0;
  }

  openSeqs(name: string): number[] {
    return this.#sql
      .exec<{ seq: number }>("SELECT seq FROM firings WHERE name = ? AND retry_at IS NOT NULL", name)
      .toArray()
      .map(({ seq }) => seq);
  }

  /** When something is to be decided, or, after now, to be started. */
  nextAt(now: number): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>(
        `SELECT min(at) AS at FROM (
           SELECT * FROM (
             SELECT next_at AS at FROM schedules INDEXED BY schedules_next
             WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1)
           UNION ALL SELECT min(retry_at) FROM firings WHERE retry_at > ?)`,
        now,
      )
      .one();
    return at ?? undefined;
  }

  history(name: string, options: { limit: number; before: number | undefined }): FiringRow[] {
    return this.#sql
      .exec<FiringRow>(
        "SELECT * FROM firings WHERE name = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
        name,
        options.before ?? Number.MAX_SAFE_INTEGER,
        options.limit,
      )
      .toArray();
  }

  /** The last firing and how many wait, for each of the names that are known. */
  summaries(
    names: readonly string[],
  ): { name: string; nextAt: number | null; waiting: number; last: FiringRow | null }[] {
    return names.flatMap((name) => {
      const known = this.schedule(name);
      if (known === undefined) return [];
      const last = this.#sql
        .exec<FiringRow>("SELECT * FROM firings WHERE name = ? AND retry_at IS NULL ORDER BY seq DESC LIMIT 1", name)
        .toArray()[0];
      return [{ name, nextAt: known.nextAt, waiting: this.openSeqs(name).length, last: last ?? null }];
    });
  }

  #forget(names: readonly string[]): void {
    const over = this.#sql
      .exec<{ name: string }>(
        "SELECT name FROM schedules WHERE remembered > ? AND name IN (SELECT value FROM json_each(?))",
        LIMITS.scheduleHistory + SLACK,
        JSON.stringify(names),
      )
      .toArray();
    for (const { name } of over) {
      this.#sql.exec(
        `DELETE FROM firings WHERE name = ?1 AND retry_at IS NULL AND seq <= (
           SELECT seq FROM firings WHERE name = ?1 AND retry_at IS NULL ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
        name,
        LIMITS.scheduleHistory,
      );
      this.#sql.exec(
        "UPDATE schedules SET remembered = (SELECT count(*) FROM firings WHERE name = ?1) WHERE name = ?1",
        name,
      );
    }
  }
}
