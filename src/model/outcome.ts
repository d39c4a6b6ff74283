/** What one accepted call came to, and the record that is kept of it. */
import type { ErrorCode, ErrorData } from "../core/errors.ts";
import type { LogLine, RetryAdvice } from "./invocation.ts";
import type { Caller } from "./principal.ts";

/**
 * `output` is JSON text that fits the operation's output type. `unstarted`: it is certain that nothing of the
 * implementation has run, so another environment may be tried, and the try costs the execution nothing.
 */
export type Outcome =
  | { ok: true; output: string; logs: readonly LogLine[] }
  | { ok: false; error: ErrorData; retry: RetryAdvice; logs: readonly LogLine[]; unstarted?: true };

/** An environment that came first in the row's order and did not run it, and why. */
export type PassedOver = { environment: string; code: ErrorCode; reason: string };

/** What became of one item of a batch. */
export type ItemOutcome = { ok: true; output: unknown } | { ok: false; error: ErrorData; retry: RetryAdvice };

/** Metadata of one finished execution. Times are milliseconds since the epoch. */
export type ExecutionRecord = {
  id: string;
  operation: string;
  /** The operation's group, and how deep in calls of calls it was: for those who want to hear of its end. */
  group: string;
  depth: number;
  revision: number;
  digest: string;
  environment: string | null;
  /** Absent: the first environment ran it. */
  passed_over?: readonly PassedOver[];
  status: "succeeded" | "failed";
  caller: Caller;
  principal: string;
  traceparent: string;
  started_at: number;
  finished_at: number;
  retention_ms: number;
  error: ErrorData | null;
};
