/**
 * One shard of the executions: a Durable Object with its own SQLite. The shard's number is part of each execution's id,
 * so a look-up touches one object. Rows of synchronous calls hold metadata only and are kept for RETENTION_MS.
 */
import { DurableObject } from "cloudflare:workers";
import type { ExecutionRecord } from "../model/outcome.ts";

const DAY = 24 * 60 * 60 * 1000;
export const RETENTION_MS = 7 * DAY;
/** Old rows swept with each batch: more than a batch brings, so a sweep always catches up. */
const SWEPT_PER_BATCH = 2_000;

export class ExecutionShard extends DurableObject<unknown> {
  readonly #sql: SqlStorage;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env);
    this.#sql = state.storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS executions (
        id TEXT PRIMARY KEY, operation TEXT NOT NULL, status TEXT NOT NULL, finished_at INTEGER NOT NULL, record TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS executions_by_time ON executions (finished_at);
      CREATE INDEX IF NOT EXISTS executions_by_operation ON executions (operation, finished_at);
    `);
  }

  /** Stores a batch in one transaction. The same record twice is stored once. */
  record(records: readonly ExecutionRecord[]): void {
    for (const record of records) {
      this.#sql.exec(
        "INSERT OR IGNORE INTO executions (id, operation, status, finished_at, record) VALUES (?, ?, ?, ?, ?)",
        record.id,
        record.operation,
        record.status,
        record.finished_at,
        JSON.stringify(record),
      );
    }
    this.#sql.exec(
      "DELETE FROM executions WHERE id IN (SELECT id FROM executions WHERE finished_at < ? ORDER BY finished_at LIMIT ?)",
      Date.now() - RETENTION_MS,
      SWEPT_PER_BATCH,
    );
  }

  find(id: string): ExecutionRecord | undefined {
    const [row] = this.#sql.exec<{ record: string }>("SELECT record FROM executions WHERE id = ?", id).toArray();
    return row === undefined ? undefined : (JSON.parse(row.record) as ExecutionRecord);
  }
}
