/** Statuses that say that nothing has run, as outcomes; the same for our host and for services of the team's own. */
import type { RetryAdvice } from "../../model/invocation.ts";
import type { Outcome } from "../../model/outcome.ts";
import { unstarted } from "../adapter.ts";
import type { Answer } from "./exchange.ts";
import { retryAfterMs } from "./retry-after.ts";

const MAX_DETAIL_CHARS = 2_000;

/** undefined: the status says something of the work itself. `what` ends "Cannot run …" and may name a place. */
export function readRefusal(answer: Answer, what: string, nowMs: number): (Outcome & { ok: false }) | undefined {
  const { status } = answer;
  const said = wordsOf(answer);
  switch (status) {
    case 401:
    case 403:
      return unstarted("environment_refused", `Cannot run ${what}: the credentials must be taken; it answers ${said}`);
    case 404:
      return unstarted(
        "environment_misconfigured",
        `Cannot run ${what}: the address must lead to it; it answers ${said}`,
      );
    case 408:
    case 425:
    case 429:
      return unstarted("environment_throttled", `Cannot run ${what}: it must have room; it answers ${said}`, {
        retry: retryOf(answer, nowMs),
      });
    case 413:
      return unstarted(
        "payload_too_large",
        `Cannot run ${what}: the input must be within its limit; it answers ${said}`,
        {
          retry: { kind: "never" },
        },
      );
    default:
      return undefined;
  }
}

/** As long as the answer says, or whenever its caller likes. */
export function retryOf({ headers }: Answer, nowMs: number): RetryAdvice {
  const afterMs = retryAfterMs(headers, nowMs);
  return afterMs === undefined ? { kind: "may" } : { kind: "after", after_ms: afterMs };
}

/** The answer in its own words: the detail of problem+json (RFC 9457), of the clouds' errors, or a short text. */
export function wordsOf({ status, headers, text }: Answer): string {
  const words = messageOf(text) ?? (/html/.test(headers.get("content-type") ?? "") ? "" : text.trim());
  return words === "" ? `status ${status}` : `status ${status}: ${words.slice(0, MAX_DETAIL_CHARS)}`;
}

/** The sentence in a JSON body; undefined where there is none. */
export function messageOf(text: string): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (const name of ["detail", "error_description", "message", "error", "title"]) {
    const found = member(body, name);
    if (typeof found === "string" && found !== "") return found;
    const inner = member(found, "message");
    if (typeof inner === "string" && inner !== "") return inner;
  }
  return undefined;
}

export function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
