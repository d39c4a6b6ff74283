/** The one place where an error becomes HTTP: RFC 9457 `application/problem+json`. */
import { ERRORS, type ErrorCode, type ErrorData } from "../core/errors.ts";

/** The `type` of a problem: a path of this platform's documentation, stable for each code. */
const TYPE_PREFIX = "https://switchyard.dev/problems/";

/** After these the same request may succeed by itself: a second later is soon enough to try. */
const RETRY_AFTER = "1";
const PASSES: ReadonlySet<number | ErrorCode> = new Set([429, 503, "idempotency_in_progress"] as const);

export function problem(error: ErrorData, headers: Record<string, string> = {}): Response {
  const entry = ERRORS[error.code];
  const body = {
    type: TYPE_PREFIX + error.code,
    title: entry.title,
    status: entry.status,
    detail: error.detail,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    ...(error.after_ms === undefined ? {} : { after_ms: error.after_ms }),
  };
  return new Response(JSON.stringify(body), {
    status: entry.status,
    headers: {
      "content-type": "application/problem+json",
      ...(entry.status === 401 ? { "www-authenticate": 'Bearer realm="switchyard"' } : {}),
      ...(PASSES.has(entry.status) || PASSES.has(error.code) ? { "retry-after": retryAfter(error.after_ms) } : {}),
      ...headers,
    },
  });
}

/** Whole seconds, and never sooner than it is worth while. */
function retryAfter(afterMs: number | undefined): string {
  return afterMs === undefined ? RETRY_AFTER : String(Math.max(1, Math.ceil(afterMs / 1000)));
}
