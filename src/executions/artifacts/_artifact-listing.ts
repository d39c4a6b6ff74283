/**
 * One shard's artifacts, newest first: what handlers have put, merged with the outputs of executions. Every mix of
 * conditions finds its rows by an index; with an execution given, further conditions filter that execution's few.
 */
import type { ArtifactView } from "../../model/execution.ts";
import type { ShardArtifactQuery, OutputEntry, OutputQuery } from "./artifact-rpc.ts";
import { executionOfOutput, idInShard, outputArtifactId } from "./artifact-ids.ts";
import { viewOfArtifact, type ArtifactRow } from "./_artifact-rows.ts";

/** Sorts after every character of an id. */
const AFTER_ALL = "~";

export function viewOfOutput(entry: OutputEntry): ArtifactView {
  return {
    id: outputArtifactId(entry.execution_id),
    execution_id: entry.execution_id,
    operation: entry.operation,
    kind: "output",
    name: "output.json",
    content_type: "application/json",
    size_bytes: entry.size_bytes,
    sha256: entry.sha256,
    created_at: new Date(entry.created_at).toISOString(),
  };
}

export type ListingSources = { sql: SqlStorage; shard: number; outputsOf: (query: OutputQuery) => OutputEntry[] };

export function listShardArtifacts(sources: ListingSources, query: ShardArtifactQuery): ArtifactView[] {
  const below = idInShard(sources.shard, query.before ?? AFTER_ALL);
  const { before: _, ...conditions } = query;
  const files = listFiles(sources.sql, query, below).map(viewOfArtifact);
  const outputs = sources.outputsOf({ ...conditions, before: executionOfOutput(below) }).map(viewOfOutput);
  return [...files, ...outputs].toSorted((a, b) => (a.id < b.id ? 1 : -1)).slice(0, query.limit);
}

function listFiles(sql: SqlStorage, query: ShardArtifactQuery, below: string): ArtifactRow[] {
  const { execution, operation, sha256, limit } = query;
  const conditions = [`id < ?`, `state = 'stored'`];
  const values: (string | number)[] = [below];
  const given = { execution_id: execution, operation, sha256 };
  for (const [column, value] of Object.entries(given)) {
    if (value === undefined) continue;
    conditions.push(`${column} = ?`);
    values.push(value);
  }
  if (sha256 !== undefined) conditions.push("sha256 IS NOT NULL");
  const index = indexFor(query);
  return sql
    .exec<ArtifactRow>(
      `SELECT * FROM artifacts ${index === undefined ? "" : `INDEXED BY ${index}`}
       WHERE ${conditions.join(" AND ")} ORDER BY id DESC LIMIT ?`,
      ...values,
      limit,
    )
    .toArray();
}

function indexFor({ execution, operation, sha256 }: ShardArtifactQuery): string | undefined {
  if (execution !== undefined) return "artifacts_by_execution";
  if (operation !== undefined)
    return sha256 === undefined ? "artifacts_by_operation" : "artifacts_by_operation_content";
  return sha256 === undefined ? undefined : "artifacts_by_content";
}
