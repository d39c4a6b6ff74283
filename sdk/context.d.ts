/**
 * What a handler gets as its second argument: `export function echo(input: EchoInput, ctx: Context): EchoOutput`.
 * Types only. It is the same wherever the operation runs.
 */

export type Context = {
  /**
   * Aborts when the call's time is up, or when its execution is cancelled: then `signal.reason.code` is
   * `execution_cancelled`, and the handler has half a second for its last log lines. Hand it to fetch.
   */
  readonly signal: AbortSignal;
  /**
   * Lines for whoever runs the platform, who sees them with the operation's name. Secrets are blanked out. 200 lines are
   * kept of one attempt; those of an asynchronous execution can be followed while it runs (`opctl logs ID --follow`).
   */
  readonly log: Readonly<Record<"debug" | "info" | "warn" | "error", (...values: unknown[]) => void>>;
  /**
   * Calls another operation with the rights of whoever started this one, and resolves to its output. An asynchronous
   * operation resolves to an ExecutionHandle as soon as the call is accepted: `ctx.call<ExecutionHandle>("report")`.
   * Rejects with an error whose `code` is one of the platform's. One invocation may make 32 calls; waiting on a handle
   * counts for none.
   */
  call<Output = unknown>(name: string, input?: unknown, options?: CallOptions): Promise<Output>;
  /** Files that are kept with the execution: what is too large for an output, or no JSON. */
  readonly artifacts: Artifacts;
  /** The secrets that the operation's row lists. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly execution: {
    readonly id: string;
    /** 1 for the first try, and for every synchronous call. */
    readonly attempt: number;
    readonly operation: string;
    readonly revision: number;
    readonly caller: { readonly type: "token" | "execution" | "webhook" | "schedule" | "agent"; readonly id: string };
    /** W3C Trace Context: send it as the header of that name with what you ask of others, and they are part of the trace. */
    readonly traceparent: string;
  };
};

export type CallOptions = {
  /**
   * Within 24 hours, calls of one operation with the same key and input are one execution. 1 to 255 visible ASCII
   * characters. `${ctx.execution.id}:pay` keeps a call from running twice when the handler itself is tried again.
   */
  idempotency_key?: string;
  /** How long an asynchronous operation waits before it starts. Milliseconds. */
  delay_ms?: number;
};

/** An execution that this handler has started and that goes on by itself. */
export type ExecutionHandle<Output = unknown> = {
  readonly execution_id: string;
  /**
   * Resolves to the output once the execution has succeeded, however long that takes; rejects with the error it ended
   * with (`code`: `implementation_failed`, `timeout`, `execution_cancelled`, …).
   */
  result(): Promise<Output>;
  /** Rejects with `execution_final` when the execution has already ended otherwise. */
  cancel(): Promise<void>;
};

export type Artifacts = {
  /**
   * Stores the content, to 5 GiB, and resolves when it is durable. A stream is passed on as it comes, never held in
   * memory; when it breaks, its own error is thrown, and what had come by then may stay stored without a reference to it.
   * Other errors have a `code`, `artifact_store_unavailable` say.
   */
  put(
    content: string | ArrayBuffer | ArrayBufferView | Blob | ReadableStream<Uint8Array>,
    options?: ArtifactOptions,
  ): Promise<ArtifactReference>;
  /** Opens a stored artifact. Rejects with an error that has a `code` when there is none of that id. */
  get(artifactId: string): Promise<StoredArtifact>;
};

export type ArtifactOptions = {
  /** For people; need not be unique. */
  name?: string;
  /** Left out: a Blob's own type, text/plain for a string, else application/octet-stream. */
  content_type?: string;
};

/** What an output names an artifact by. `sha256` is of the content, in hexadecimal. */
export type ArtifactReference = { artifact_id: string; sha256: string; size_bytes: number };

/** The content can be read once, in one of these ways. */
export type StoredArtifact = {
  readonly content_type: string;
  /** null where the store does not say before the end. */
  readonly size_bytes: number | null;
  bytes(): Promise<Uint8Array>;
  /** As UTF-8. */
  text(): Promise<string>;
  json<Value = unknown>(): Promise<Value>;
  stream(): ReadableStream<Uint8Array>;
};

/** A handler's shape. The input has been checked and has its defaults; the output is checked next. */
export type Handler<Input = unknown, Output = unknown> = (input: Input, ctx: Context) => Output | Promise<Output>;
