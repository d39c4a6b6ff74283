/**
 * Ids of artifacts: `ar_<shard: 2 hex digits>_<25 characters that sort by time>`, the shard being that of the execution. An
 * execution's output has the rest of the execution's own id, so neither side stores the other's.
 */
import { newExecutionId, shardOfExecutionId } from "../../core/ids.ts";

/** Where an id of a shard begins to sort by time, whatever the shard. */
const TAIL_AT = "ar_00_".length;

export function newArtifactId(shard: number, nowMs: number): string {
  return outputArtifactId(newExecutionId(shard, nowMs));
}

export function outputArtifactId(executionId: string): string {
  return `ar_${executionId.slice(3)}`;
}

/** The execution whose output the artifact is, if it is one. */
export function executionOfOutput(artifactId: string): string {
  return `ex_${artifactId.slice(3)}`;
}

/** The shard written in an artifact's id, or undefined when the text is not one. */
export function shardOfArtifactId(id: string): number | undefined {
  return id.startsWith("ar_") ? shardOfExecutionId(executionOfOutput(id)) : undefined;
}

export function tailOf(id: string): string {
  return id.slice(TAIL_AT);
}

/** The id that a tail would have in a shard: what a page that ended there goes on from. */
export function idInShard(shard: number, tail: string): string {
  return `ar_${shard.toString(16).padStart(2, "0")}_${tail}`;
}

/** The shard that answers for content: users of the same bytes meet there, whatever shard they are in themselves. */
export function shardOfContent(sha256: string, shards: number): number {
  return Number.parseInt(sha256.slice(0, 2), 16) % shards;
}
