/**
 * One shard of the executions: a Durable Object with its own SQLite. The shard's number is part of each execution's id,
 * so a look-up touches one object. Rows of synchronous calls hold metadata only and are kept for RETENTION_MS.
 */
import { DurableObject } from "cloudflare:workers";
import { firstExecutionIdAt } from "../core/ids.ts";
import type { ExecutionRecord } from "../model/outcome.ts";

const DAY = 24 * 60 * 60 * 1000;
export const RETENTION_MS = 7 * DAY;
/** Old rows swept with each batch: more than a batch brings, so a sweep always catches up. */
const SWEPT_PER_BATCH = 2_000;

export class ExecutionShard extends DurableObject<unknown> {
  readonly #sql: SqlStorage;
  readonly #shard: number;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env);
    this.#sql = state.storage.sql;
    this.#shard = shardOfName(state.id.name);
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS executions (
        id TEXT PRIMARY KEY, operation TEXT NOT NULL, status TEXT NOT NULL, record TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS executions_by_operation ON executions (operation, id);
    `);
  }

  /**
   * Stores a batch, the JSON text of an ExecutionRecord[], in one transaction. The same record twice is stored once.
   * As text and in one statement, because a message of objects and a statement a row cost several times as much.
   */
  record(records: string): void {
    this.#sql.exec(
      `INSERT OR IGNORE INTO executions (id, operation, status, record)
       SELECT value ->> 'id', value ->> 'operation', value ->> 'status', value FROM json_each(?)`,
      records,
    );
    // Ids sort by time, so the oldest come first in the primary key.
    this.#sql.exec(
      "DELETE FROM executions WHERE id IN (SELECT id FROM executions WHERE id < ? ORDER BY id LIMIT ?)",
      firstExecutionIdAt(this.#shard, Date.now() - RETENTION_MS),
      SWEPT_PER_BATCH,
    );
  }

  find(id: string): ExecutionRecord | undefined {
    const [row] = this.#sql.exec<{ record: string }>("SELECT record FROM executions WHERE id = ?", id).toArray();
    return row === undefined ? undefined : (JSON.parse(row.record) as ExecutionRecord);
  }
}

/** The name under which a shard's object is found. */
export function nameOfShard(shard: number): string {
  return `shard-${shard}`;
}

function shardOfName(name: string | undefined): number {
  const shard = /^shard-([0-9]+)$/.exec(name ?? "")?.[1];
  if (shard === undefined) throw new TypeError(`an execution shard must be named by nameOfShard(); it is ${name}`);
  return Number(shard);
}
