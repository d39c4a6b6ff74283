/**
 * Listings of one shard, newest first. Every mix of conditions is answered from an index: where the query leaves trigger
 * or status open, each of their few values is asked for by itself, and the answers are merged.
 */
import { CALLER_TYPES } from "../model/principal.ts";
import { EXECUTION_STATUSES } from "../model/execution-states.ts";
import type { ExecutionQuery } from "../model/execution.ts";
import type { OutputEntry, OutputQuery } from "./artifacts/artifact-rpc.ts";
import type { Tail } from "./messages.ts";

/** Ids of a shard sort by time; these bound them. `before` is exclusive, `from` is not. */
export type IdRange = { from: string; before: string };

/** Ids only: a page over all shards needs few of the rows that each of them offers. */
export function listIds(sql: SqlStorage, query: ExecutionQuery, { from, before }: IdRange): string[] {
  const { operation, status, trigger, parent, limit } = query;
  const select = (statement: string, ...values: (string | number | null)[]): string[] =>
    sql
      .exec<{ id: string }>(statement, ...values)
      .toArray()
      .map(({ id }) => id);
  if (parent !== undefined) {
    return select(
      `SELECT id FROM executions WHERE parent = ? AND id >= ? AND id < ? AND operation = coalesce(?, operation)
         AND status = coalesce(?, status) AND trigger = coalesce(?, trigger) ORDER BY id DESC LIMIT ?`,
      parent,
      from,
      before,
      operation ?? null,
      status ?? null,
      trigger ?? null,
      limit,
    );
  }
  if (operation === undefined && status === undefined && trigger === undefined) {
    return select("SELECT id FROM executions WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?", from, before, limit);
  }
  const ids = (trigger === undefined ? CALLER_TYPES : [trigger]).flatMap((type) =>
    (status === undefined ? EXECUTION_STATUSES : [status]).flatMap((state) =>
      operation === undefined
        ? select(
            `SELECT id FROM executions INDEXED BY by_trigger
             WHERE trigger = ? AND status = ? AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?`,
            type,
            state,
            from,
            before,
            limit,
          )
        : select(
            `SELECT id FROM executions INDEXED BY by_operation
             WHERE operation = ? AND trigger = ? AND status = ? AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?`,
            operation,
            type,
            state,
            from,
            before,
            limit,
          ),
    ),
  );
  return ids.toSorted().toReversed().slice(0, limit);
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
    .map(({ id, operation: name, tail, sha256: hash }): OutputEntry => {
      const { output, finished_at: finishedAt } = JSON.parse(tail) as Tail;
      return {
        execution_id: id,
        operation: name,
        sha256: hash,
        size_bytes: output?.size_bytes ?? 0,
        created_at: finishedAt ?? 0,
      };
    });
}
