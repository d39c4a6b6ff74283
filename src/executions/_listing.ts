/**
 * Listings of one shard, newest first. Every mix of conditions is answered from an index: where the query leaves trigger
 * or status open, each of their few values is asked for by itself, and the answers are merged.
 */
import { EXECUTION_STATUSES } from "../model/execution-states.ts";
import type { ExecutionQuery } from "../model/execution.ts";
import { TRIGGERS, type Row } from "./_tables.ts";
import type { OutputEntry, OutputQuery } from "./artifacts/artifact-rpc.ts";
import type { Tail } from "./messages.ts";

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

/** Executions of this shard that have an output, newest first; see ArtifactIndex. */
export function listOutputs(sql: SqlStorage, query: OutputQuery): OutputEntry[] {
  const { execution, operation, sha256, before = "~", limit } = query;
  const given = { "e.id": execution, "o.sha256": sha256, "e.operation": operation };
  const conditions = ["e.id < ?"];
  const values: (string | number)[] = [before];
  for (const [column, value] of Object.entries(given)) {
    if (value === undefined) continue;
    conditions.push(`${column} = ?`);
    values.push(value);
  }
  // The one that narrows most leads; an execution is one row, contents are few, an operation has an index of its own.
  const tables =
    execution !== undefined
      ? "executions e JOIN outputs o ON o.seq = e.seq"
      : sha256 !== undefined
        ? "outputs o INDEXED BY outputs_by_content CROSS JOIN executions e ON e.seq = o.seq"
        : operation !== undefined
          ? "executions e INDEXED BY with_output CROSS JOIN outputs o ON o.seq = e.seq"
          : "outputs o CROSS JOIN executions e ON e.seq = o.seq";
  if (execution === undefined && sha256 === undefined && operation !== undefined) {
    conditions.push("e.status = 'succeeded'", "e.lane <> ''");
  }
  // Rows come into a shard in the order of their ids but for a moment, so the newest are at the end of both.
  const order = execution === undefined && sha256 === undefined && operation === undefined ? "o.seq" : "e.id";
  return sql
    .exec<{ id: string; operation: string; tail: string; sha256: string }>(
      `SELECT e.id, e.operation, e.tail, o.sha256 FROM ${tables}
       WHERE ${conditions.join(" AND ")} ORDER BY ${order} DESC LIMIT ?`,
      ...values,
      limit,
    )
    .toArray()
    .map(({ id, operation: name, tail, sha256: hash }) => {
      const { output, finished_at: finishedAt } = JSON.parse(tail) as Tail;
      return {
        ...{ execution_id: id, operation: name, sha256: hash },
        size_bytes: output?.size_bytes ?? 0,
        created_at: finishedAt ?? 0,
      };
    });
}
