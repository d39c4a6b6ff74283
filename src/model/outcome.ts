/** What one accepted call came to, and the record that is kept of it. */
import type { ErrorData } from "../core/errors.ts";
import type { LogLine, RetryAdvice } from "./invocation.ts";
import type { Caller } from "./principal.ts";

/** `output` is JSON text that fits the operation's output type. */
export type Outcome =
  | { ok: true; output: string; logs: readonly LogLine[] }
  | { ok: false; error: ErrorData; retry: RetryAdvice; logs: readonly LogLine[] };

/** What became of one item of a batch. */
export type ItemOutcome = { ok: true; output: unknown } | { ok: false; error: ErrorData; retry: RetryAdvice };

/** Metadata of one finished execution. Times are milliseconds since the epoch. */
export type ExecutionRecord = {
  id: string;
  operation: string;
  revision: number;
  digest: string;
  environment: string | null;
  status: "succeeded" | "failed";
  caller: Caller;
  principal: string;
  traceparent: string;
  started_at: number;
  finished_at: number;
  retention_ms: number;
  error: ErrorData | null;
};
