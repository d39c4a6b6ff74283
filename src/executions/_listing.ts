/**
 * Listings of one shard, newest first. Every mix of conditions is answered from an index: where the query leaves trigger
 * or status open, each of their few values is asked for by itself, and the answers are merged.
 */
import { EXECUTION_STATUSES } from "../model/execution-states.ts";
import type { ExecutionQuery } from "../model/execution.ts";
import { TRIGGERS, type Row } from "./_tables.ts";

/** Ids of a shard sort by time; these bound them. `before` is exclusive, `from` is not. */
export type IdRange = { from: string; before: string };

export function listRows(sql: SqlStorage, query: ExecutionQuery, { from, before }: IdRange): Row[] {
  const { limit } = query;
  if (query.parent !== undefined) {
    return sql
      .exec<Row>(
        `SELECT * FROM executions WHERE parent = ? AND id >= ? AND id < ? AND operation = coalesce(?, operation)
           AND status = coalesce(?, status) AND trigger = coalesce(?, trigger) ORDER BY id DESC LIMIT ?`,
        ...[query.parent, from, before, query.operation ?? null, query.status ?? null, query.trigger ?? null, limit],
      )
      .toArray();
  }
  if (query.operation === undefined && query.status === undefined && query.trigger === undefined) {
    return sql
      .exec<Row>("SELECT * FROM executions WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?", from, before, limit)
      .toArray();
  }
  const ids: string[] = [];
  for (const trigger of query.trigger === undefined ? TRIGGERS : [query.trigger]) {
    for (const status of query.status === undefined ? EXECUTION_STATUSES : [query.status]) {
      const found =
        query.operation === undefined
          ? sql.exec<{ id: string }>(
              `SELECT id FROM executions INDEXED BY by_trigger
               WHERE trigger = ? AND status = ? AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?`,
              ...[trigger, status, from, before, limit],
            )
          : sql.exec<{ id: string }>(
              `SELECT id FROM executions INDEXED BY by_operation
               WHERE operation = ? AND trigger = ? AND status = ? AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?`,
              ...[query.operation, trigger, status, from, before, limit],
            );
      for (const { id } of found) ids.push(id);
    }
  }
  const wanted = ids.sort().reverse().slice(0, limit);
  return sql
    .exec<Row>(
      "SELECT * FROM executions WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id DESC",
      JSON.stringify(wanted),
    )
    .toArray();
}
