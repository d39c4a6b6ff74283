/**
 * How an invocation and its end travel: one line of JSON, then the raw input or output. The long part is never parsed
 * or escaped on the way.
 */
import type { ErrorCode, ErrorData } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { InvocationMeta, InvocationResult, IsolateDefinition, LogLine, RetryAdvice } from "./invocation.ts";

export type RunHead = {
  isolate: string;
  /** When the request was sent, milliseconds since the epoch on this machine. See START_FENCE_MS. */
  sent_at_ms: number;
  /** Nobody waits for a call that starts later than this. */
  start_by_ms: number;
  meta: InvocationMeta;
  /** Only after the process has said that it does not know the isolate. */
  definition?: IsolateDefinition;
};

export function joinFrame(head: unknown, rest: string): string {
  return `${JSON.stringify(head)}\n${rest}`;
}

export function splitFrame(frame: string): [head: string, rest: string] {
  const end = frame.indexOf("\n");
  return end === -1 ? [frame, ""] : [frame.slice(0, end), frame.slice(end + 1)];
}

const PLAIN_SUCCESS = '{"ok":true,"logs":[]}';

/** What an isolate may say went wrong. Any other code is the platform's own to say (a token that has expired, say). */
const ISOLATE_CODES: ReadonlySet<unknown> = new Set<ErrorCode>([
  "implementation_failed",
  "module_invalid",
  "output_invalid",
  "output_not_json",
  "output_too_large",
  "timeout",
  "executor_lost",
  "execution_cancelled",
  // Of hosts.
  "not_supported",
  "environment_forbids",
  "environment_misconfigured",
  "environment_refused",
  "environment_throttled",
  "environment_unavailable",
  "host_outdated",
]);

/** Reads what an isolate answered. The isolate shares its memory with the operation's code, so nothing is taken on trust. */
export function parseResult(frame: string): InvocationResult {
  const [head, output] = splitFrame(frame);
  if (output.length > LIMITS.jsonBytes) return broken("an output over the limit");
  if (head === PLAIN_SUCCESS && output !== "") return { ok: true, output, logs: [] };
  let result: unknown;
  try {
    result = JSON.parse(head);
  } catch {
    return broken("not a result");
  }
  if (!isObject(result) || !isLog(result["logs"])) return broken("a result without logs");
  if (result["ok"] === true) {
    return output === "" ? broken("a success without an output") : { ok: true, output, logs: result["logs"] };
  }
  const { error, retry, logs } = result;
  if (!isErrorData(error)) return broken("a failure that is none");
  return { ok: false, error, retry: isRetry(retry) ? retry : { kind: "may" }, logs };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

export function isLog(value: unknown): value is LogLine[] {
  // One more than the limit: the line that says so.
  if (!Array.isArray(value) || value.length > LIMITS.logLines + 1) return false;
  return value.every(
    (line) => isObject(line) && typeof line["level"] === "string" && typeof line["message"] === "string",
  );
}

function isErrorData(value: unknown): value is ErrorData {
  if (!isObject(value) || !ISOLATE_CODES.has(value["code"]) || typeof value["detail"] !== "string") return false;
  const { hint, errors, after_ms: afterMs } = value;
  return (
    (hint === undefined || typeof hint === "string") &&
    (errors === undefined || Array.isArray(errors)) &&
    (afterMs === undefined || typeof afterMs === "number")
  );
}

function isRetry(value: unknown): value is RetryAdvice {
  if (!isObject(value)) return false;
  const { kind, after_ms: afterMs } = value;
  return kind === "may" || kind === "never" || (kind === "after" && typeof afterMs === "number");
}

function broken(what: string): InvocationResult {
  const detail = `Cannot read the isolate's answer: it must be a result line and an output; it is ${what}`;
  return { ok: false, error: { code: "implementation_failed", detail }, retry: { kind: "may" }, logs: [] };
}
