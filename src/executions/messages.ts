/**
 * What passes between the edge, a shard and the runner of attempts. Groups travel as one JSON text: a message of
 * objects costs several times as much (decision 007). Times are milliseconds since the epoch.
 */
import type { ErrorData } from "../core/errors.ts";
import type { Attempt, AttemptEnd, ExecutionStatus, RetryPolicy, Step } from "../model/execution.ts";
import type { Wanted } from "../model/ended.ts";
import type { LogLine, RetryAdvice } from "../model/invocation.ts";
import type { ItemOutcome, PassedOver } from "../model/outcome.ts";
import type { Caller } from "../model/principal.ts";

/** A payload: JSON text in the row, or the key of an object in the artifact store when it is large. */
export type Payload = { text: string } | { key: string };

/** What never changes after an execution was accepted. */
export type Head = {
  mode: "sync" | "async";
  revision: number;
  digest: string;
  caller: Caller;
  principal: string;
  traceparent: string;
  tracestate?: string;
  depth: number;
  accepted_at: number;
  timeout_ms: number;
  retry: RetryPolicy;
  retention_ms: number;
  expires_at: number | null;
  /** Of its lane; null: none. */
  limit: number | null;
  batch: boolean;
  /** Its attempts do nothing but wait for other executions: they take no place that those would need. */
  waits?: boolean;
  replay_of: string | null;
  wanted?: Wanted;
};

/** What attempts add. Absent members are empty. */
export type Tail = {
  attempts?: Attempt[];
  started_at?: number;
  finished_at?: number;
  error?: ErrorData;
  output?: { sha256: string; size_bytes: number };
  /** Times that an attempt could not even begin, for the wait before the next. */
  put_backs?: number;
  replayed_by?: string[];
  steps?: Step[];
};

export type Accept = {
  id: string;
  operation: string;
  head: Head;
  /** Executions of one lane share its limit and start in the order of their acceptance. */
  lane: string;
  max_queued: number | null;
  parent: string | null;
  /** Not to be started before. */
  due: number | null;
  /** Somebody waits for its end: it is worth a message of its own to start it at once. */
  urgent?: boolean;
  input: Payload;
  key?: KeyClaim;
};

/** `hash` stands for (principal, operation, Idempotency-Key), `input` for the input. */
export type KeyClaim = { hash: string; input: string; expires_at: number };

export type AcceptReply =
  | { kind: "accepted" }
  /** The key, or the id, was there before: this is its execution. */
  | { kind: "same"; id: string; status: ExecutionStatus }
  /** The key stands for this execution, which another shard keeps, or was to keep. */
  | { kind: "elsewhere"; id: string }
  | { kind: "key_reused"; id: string }
  | { kind: "queue_full"; limit: number; waiting: number };

/** One attempt to make. `attempt` is the fencing token: what comes back with an older one is refused. */
export type Claim = {
  id: string;
  operation: string;
  attempt: number;
  head: Head;
  input: Payload;
  /** Somebody waits for its end. */
  urgent?: boolean;
  /** A batch: what became of its items so far, by their place in the list. */
  items?: Record<string, ItemOutcome>;
  /** A chain: the steps that were begun. */
  steps?: Step[];
};

/** `put_back`: it could not begin, and costs no try. */
export type Ending =
  | { kind: "succeeded"; output: Payload; sha256: string; size_bytes: number }
  | { kind: "failed"; error: ErrorData; retry: RetryAdvice; output?: Payload; sha256?: string; size_bytes?: number }
  | { kind: Exclude<AttemptEnd, "succeeded" | "failed">; error: ErrorData }
  | { kind: "put_back"; error: ErrorData; after_ms?: number };

export type Settlement = {
  id: string;
  attempt: number;
  environment: string | null;
  passed_over?: readonly PassedOver[];
  started_at: number;
  finished_at: number;
  ending: Ending;
  logs?: readonly LogLine[];
  /** As it is when the attempt ends; the head says how it was when the execution was accepted. */
  wanted?: Wanted;
};

/** What became of each settlement, in their order. null: refused, the attempt was no longer the one under way. */
export type Settled = (ExecutionStatus | null)[];
