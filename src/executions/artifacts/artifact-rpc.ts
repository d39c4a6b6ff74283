/**
 * What the edge and the shards say to each other about artifacts. The shard of an execution keeps its artifacts' rows and
 * who refers to them; the shard of a SHA-256 keeps which object has those bytes and which artifacts use it.
 *
 * An artifact comes to be in steps, and each leaves behind what the sweeps need if nothing follows:
 *
 *     begin    a row `uploading` names the key, before a byte is stored
 *     upload   parts under that key (an upload id is noted before the first part)
 *     finish   the row becomes `claiming` with the hash; the content's shard takes the object, or says which other
 *              object has these bytes; the row becomes `stored` with that key, and an object of our own that is not
 *              needed is listed for deletion in the same transaction
 */
import type { ErrorData } from "../../core/errors.ts";
import type { ArtifactView } from "../../model/execution.ts";

export type BeginRequest = {
  execution: string;
  /** For an execution that the shard does not know yet: a synchronous call leaves its record after its end. */
  operation?: string;
  name: string;
  content_type: string;
};

export type BeginReply = { ok: true; id: string; key: string } | { ok: false; error: ErrorData };
export type FinishReply = { ok: true; view: ArtifactView } | { ok: false; error: ErrorData };
export type Content = { sha256: string; size_bytes: number };

/** `key` is null for an output: its text is the execution's. */
export type LocatedArtifact = { view: ArtifactView; key: string | null };

/** `before` is the tail of the id that the page before ended with. Newest first. */
export type ShardArtifactQuery = {
  execution?: string;
  operation?: string;
  sha256?: string;
  before?: string;
  limit: number;
};

/** One artifact's claim on content: `key` is the object it uploaded itself. */
export type BlobClaim = { sha256: string; artifact: string; key: string };

/** What one shard asks of another. */
export interface ArtifactPeerRpc {
  /** Answers the key of the object that has these bytes; `claim.key` if there was none. Claiming twice is once. */
  claimBlob(claim: BlobClaim): string;
  /** Answers the artifacts whose own object this shard answers for; any other is its artifact's to delete. */
  releaseBlobs(claims: BlobClaim[]): string[];
  /** Those of the executions whose record is still kept. All are of this shard. */
  keptExecutions(ids: string[]): string[];
}

export interface ArtifactShardRpc extends ArtifactPeerRpc {
  beginArtifact(request: BeginRequest): BeginReply;
  /** false: the row is gone, so is the reason to upload. */
  noteArtifactUpload(id: string, uploadId: string): boolean;
  finishArtifact(id: string, content: Content): Promise<FinishReply>;
  /** The upload failed: its remains can go now and not after a day. */
  abandonArtifact(id: string): void;
  locateArtifact(id: string): LocatedArtifact | undefined;
  listArtifacts(query: ShardArtifactQuery): ArtifactView[];
  /** Must be durable before the execution that refers to them is accepted. All artifacts are of this shard. */
  holdArtifacts(execution: string, artifacts: string[]): void;
}

/** An interface as its stub has it. */
export type Remote<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
};

/** Carries out `artifacts` of a listing on outputs: those of executions that have one, newest first. */
export type OutputQuery = {
  execution?: string;
  operation?: string;
  sha256?: string;
  /** An id that sorts like an execution's; only those below it. */
  before?: string;
  limit: number;
};

export type OutputEntry = {
  execution_id: string;
  operation: string;
  sha256: string;
  size_bytes: number;
  created_at: number;
};
