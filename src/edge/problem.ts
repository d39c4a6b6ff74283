/** The one place where an error becomes HTTP: RFC 9457 `application/problem+json`. */
import { ERRORS, type ErrorData } from "../core/errors.ts";

/** The `type` of a problem: a path of this platform's documentation, stable for each code. */
const TYPE_PREFIX = "https://switchyard.dev/problems/";

/** Statuses after which the same request may succeed by itself, and when to try. Seconds. */
const RETRY_AFTER: Record<number, string> = { 429: "1", 503: "1" };

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
  };
  const retryAfter = RETRY_AFTER[entry.status];
  return new Response(JSON.stringify(body), {
    status: entry.status,
    headers: {
      "content-type": "application/problem+json",
      ...(entry.status === 401 ? { "www-authenticate": 'Bearer realm="switchyard"' } : {}),
      ...(retryAfter === undefined ? {} : { "retry-after": retryAfter }),
      ...headers,
    },
  });
}
