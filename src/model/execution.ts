/**
 * What an execution is to those who ask about it, and what passes between the edge, the shard that keeps it and the
 * runner of its attempts. Times are milliseconds since the epoch inside, RFC 3339 in the view.
 */
import type { ErrorData } from "../core/errors.ts";
import type { ExecutionStatus } from "./execution-states.ts";
import type { PassedOver } from "./outcome.ts";
import type { Caller } from "./principal.ts";

export type { ExecutionStatus } from "./execution-states.ts";

/** Tries of an asynchronous execution. Waits grow from initial_ms to max_ms, each drawn from 0 to its bound (full jitter). */
export type RetryPolicy = { max_attempts: number; initial_ms: number; max_ms: number };

/** At most `limit` executions of the operation run at once, for each value that `key` (a JSON Pointer) finds in the input. */
export type ConcurrencyPolicy = { limit: number; key: string | null; max_queued: number | null };

/** Which synchronous calls leave a record. */
export type RecordPolicy = "all" | "errors" | "none";

/** `lost`: its executor went away under it. `interrupted`: the platform itself was restarted. */
export type AttemptEnd = "succeeded" | "failed" | "lost" | "interrupted";

export type Attempt = {
  attempt: number;
  environment: string | null;
  started_at: number;
  finished_at: number;
  end: AttemptEnd;
  error: ErrorData | null;
  /** Environments before it in the row's order that did not run it, and why. Absent: none. */
  passed_over?: readonly PassedOver[];
};

/** The result as an artifact: its bytes are the output's JSON text. */
export type OutputReference = { artifact_id: string; sha256: string; size_bytes: number };

/** One step of a chain: an execution of its own. */
export type Step = { operation: string; execution_id: string; status: ExecutionStatus };

/** What GET /executions/:id answers. */
export type ExecutionView = {
  id: string;
  operation: string;
  revision: number;
  digest: string;
  mode: "sync" | "async";
  status: ExecutionStatus;
  /** What started it: the type of its caller. */
  trigger: Caller["type"];
  caller: Caller;
  principal: string;
  traceparent: string;
  environment: string | null;
  accepted_at: string;
  started_at: string | null;
  finished_at: string | null;
  /** When the next attempt is due, or until when the record is kept. */
  next_attempt_at: string | null;
  kept_until: string | null;
  expires_at: string | null;
  /** Number of the attempt under way, or of the last. */
  attempt: number;
  attempts: (Omit<Attempt, "started_at" | "finished_at"> & { started_at: string; finished_at: string })[];
  error: ErrorData | null;
  output: OutputReference | null;
  parent: string | null;
  replay_of: string | null;
  replayed_by: string[];
  steps: Step[];
};

/** One line of a handler's log. `seq` rises within an execution over all its attempts. `at` is RFC 3339. */
export type ExecutionLogLine = { seq: number; attempt: number; level: string; message: string; at: string };

/** What GET /executions takes; all conditions must hold. `since` and `until` bound accepted_at, milliseconds. */
export type ExecutionQuery = {
  operation?: string;
  status?: ExecutionStatus;
  trigger?: Caller["type"];
  parent?: string;
  since?: number;
  until?: number;
  limit: number;
  cursor?: string;
};

/** A stored result: an execution's output, or what its handler put with ctx.artifacts.put. */
export type ArtifactView = {
  id: string;
  execution_id: string;
  operation: string;
  kind: "output" | "file";
  name: string;
  content_type: string;
  size_bytes: number;
  sha256: string;
  created_at: string;
};

export type ArtifactQuery = { execution?: string; operation?: string; sha256?: string; limit: number; cursor?: string };
