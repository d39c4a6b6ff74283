/** What a service answered → the call's outcome, in the service's own words. Pure. */
import type { Outcome } from "../../model/outcome.ts";
import type { CompiledType } from "../../model/resolved.ts";
import type { Answer } from "../http/exchange.ts";
import { retryOf } from "../http/read-refusal.ts";
import { failureOf, isJson, jsonOutcome, notJson, type Asked } from "../http/service-outcome.ts";

/** `output`: the operation's output type, which says whether it takes a text. */
export function outcomeOf(answer: Answer, { output, ...asked }: Asked & { output: CompiledType }): Outcome {
  const { status, text, headers } = answer;
  if (status < 200 || status >= 300) return withTime(failureOf(answer, { ...asked, isOwnAnswer: true }), answer, asked);
  if (text === "") return { ok: true, output: "null", logs: [] };
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  return type.startsWith("text/") ? textOutcome(text, { output, ...asked }) : jsonOutcome(answer, asked.operation);
}

/** Answered by something between the service and us, or by a service that gives up: another replica may do better. */
export function isTrouble({ status }: Pick<Answer, "status">): boolean {
  return status === 502 || status === 503 || status === 504;
}

/** The time to come back is told to whoever called, too. */
function withTime(outcome: Outcome & { ok: false }, answer: Answer, { nowMs }: Asked): Outcome {
  if (answer.status !== 429 && answer.status !== 503) return outcome;
  const retry = retryOf(answer, nowMs);
  return retry.kind === "after" ? { ...outcome, error: { ...outcome.error, after_ms: retry.after_ms } } : outcome;
}

/**
 * Some frameworks call all text text/plain, JSON too. So what looks like an object or a list is JSON, what the output type takes as a
 * text is one, and only then is a bare `42` the number.
 */
function textOutcome(text: string, { output, operation }: { output: CompiledType; operation: string }): Outcome {
  const json: Outcome | undefined = isJson(text) ? { ok: true, output: text, logs: [] } : undefined;
  if (json !== undefined && /^\s*[[{]/.test(text) && output.check(JSON.parse(text)).ok) return json;
  if (output.check(text).ok) return { ok: true, output: JSON.stringify(text), logs: [] };
  return json ?? notJson(operation, "text, and the output type takes none");
}
