/** What a running handler may ask of the platform, as a port: every question carries the invocation it comes from. */
import type { ErrorData } from "../core/errors.ts";
import type { InvocationMeta, LogLine } from "../model/invocation.ts";

export type Failed = { ok: false; error: ErrorData };

export type CallOptions = { idempotency_key?: string; delay_ms?: number };

/** `output` is JSON text. `accepted`: an asynchronous operation's execution, which has yet to run. */
export type CallAnswer = { ok: true; output: string } | { ok: true; accepted: string } | Failed;

export type OutputAnswer = { ok: true; output: string } | Failed;

/** `size_bytes` is undefined where nobody can say it before the end. */
export type ArtifactContent = {
  body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>;
  size_bytes: number | undefined;
  name: string | undefined;
  content_type: string | undefined;
};

/** `artifact` is JSON text: `{artifact_id, sha256, size_bytes}`. */
export type PutAnswer = { ok: true; artifact: string } | Failed;

export type GetAnswer =
  | { ok: true; content_type: string; size_bytes: number | null; body: ReadableStream<Uint8Array> }
  | Failed;

/** Rejects only when the platform cannot be reached at all. */
export interface Platform {
  /** Runs an operation by name, with the rights of `meta.capability`. */
  call(order: { name: string; input: string; options: CallOptions }, meta: InvocationMeta): Promise<CallAnswer>;
  /** An execution's output. Waits a while; execution_unfinished says that it takes longer than that. */
  output(executionId: string, meta: InvocationMeta): Promise<OutputAnswer>;
  cancel(executionId: string, meta: InvocationMeta): Promise<{ ok: true } | Failed>;
  putArtifact(content: ArtifactContent, meta: InvocationMeta): Promise<PutAnswer>;
  getArtifact(artifactId: string, meta: InvocationMeta): Promise<GetAnswer>;
  /** Lines of a handler that is still running; `first` is the index of the first of them. */
  sendLogs(batch: { first: number; lines: readonly LogLine[] }, meta: InvocationMeta): Promise<void>;
}
