/**
 * What a service's answer means for the call, or that there is none: the same whether an environment names the service or an
 * exposure leads to it. `unstarted` exactly where it is certain that nothing has run.
 */
import { LIMITS } from "../../core/limits.ts";
import type { RetryAdvice } from "../../model/invocation.ts";
import type { Outcome } from "../../model/outcome.ts";
import { unstarted } from "../adapter.ts";
import type { Answer, Exchanged } from "./exchange.ts";
import { messageOf, readRefusal, retryOf, wordsOf } from "./read-refusal.ts";

export type Asked = {
  operation: string;
  /** Ends "Cannot run …": the operation and the place, in quotes. */
  what: string;
  nowMs: number;
  /**
   * Its address and credentials are right, since it was found by an exposure: 401, 403 and 404 are then its answer to this very
   * input and not to everybody.
   */
  isOwnAnswer?: boolean;
  /** What was sent and where, as a sentence's beginning: without any value of the input. */
  request?: string;
};

/** Of a status from 300 on. */
export function failureOf(
  answer: Answer,
  { what, nowMs, isOwnAnswer = false, request }: Asked,
): Outcome & { ok: false } {
  const { status, text } = answer;
  const isAboutInput = isOwnAnswer && (status === 401 || status === 403 || status === 404);
  const refused = isAboutInput ? undefined : readRefusal(answer, what, nowMs);
  if (refused !== undefined) return refused;
  if (status < 400) {
    // A service may redirect after it has done the work (303), so that it has not run is not certain.
    const detail = `Cannot run ${what}: the address must be the service's own; it redirects (${status}) to ${answer.headers.get("location") ?? "nowhere"}`;
    return { ok: false, error: { code: "environment_misconfigured", detail }, retry: { kind: "never" }, logs: [] };
  }
  const own = messageOf(text);
  const detail = own ?? `Cannot run ${what}: the service must succeed; it answers ${wordsOf(answer)}`;
  const retry: RetryAdvice =
    status < 500 ? { kind: "never" } : status === 503 ? retryOf(answer, nowMs) : { kind: "may" };
  const said =
    own === undefined
      ? request && `${request} answered ${status}.`
      : `These are the service's own words; ${request === undefined ? "it answered with status" : `${request} answered`} ${status}.`;
  const hint = said === undefined ? {} : { hint: said };
  return { ok: false, error: { code: "implementation_failed", detail, ...hint }, retry, logs: [] };
}

/** Of a status of 2xx whose text must be JSON. */
export function jsonOutcome({ status, text, headers }: Answer, operation: string): Outcome {
  if (text === "" && (status === 204 || status === 205)) return { ok: true, output: "null", logs: [] };
  if (isJson(text)) return { ok: true, output: text, logs: [] };
  return notJson(operation, text === "" ? "empty" : (headers.get("content-type") ?? "something else"));
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

export function unanswered(
  came: Exclude<Exchanged, Answer>,
  { operation, what }: Pick<Asked, "operation" | "what">,
): Outcome & { ok: false } {
  switch (came.kind) {
    case "not_sent":
      return unstarted(
        "environment_unavailable",
        `Cannot run ${what}: it must be reachable; it is not: ${came.reason}`,
      );
    case "broken_off":
      return lost(`Cannot tell what became of ${what}: it must answer; the connection is lost: ${came.reason}`);
    case "not_text":
      return notJson(operation, "not UTF-8");
    case "too_large": {
      const detail = `Cannot answer for "${operation}": its output must be at most ${LIMITS.jsonBytes} bytes; it is longer`;
      return { ok: false, error: { code: "output_too_large", detail }, retry: { kind: "never" }, logs: [] };
    }
  }
}

export function notJson(operation: string, isNow: string): Outcome & { ok: false } {
  const detail = `Cannot answer for "${operation}": its output must be JSON; it is ${isNow}`;
  return { ok: false, error: { code: "output_not_json", detail }, retry: { kind: "may" }, logs: [] };
}

export function lost(detail: string): Outcome & { ok: false } {
  return { ok: false, error: { code: "executor_lost", detail }, retry: { kind: "may" }, logs: [] };
}
