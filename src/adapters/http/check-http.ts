/** Looks at a place that HTTP leads to: GET /health of our host, which runs nothing of the users'. */
import type { EnvironmentCheck } from "../adapter.ts";
import { sendAuthorized, type HttpPlace } from "./http-call.ts";
import { member, wordsOf } from "./read-refusal.ts";
import { untilEnd } from "./until-end.ts";

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const NO_HOST = "operations run here only if implemented_at names a service (http)";

/** Never throws. `now` is the clock of latencies. */
export async function checkHttp(place: HttpPlace, now: () => number): Promise<EnvironmentCheck> {
  const { url } = place;
  if (url === undefined) {
    return found({ reachable: true, allowed: null, missing: [`config.url is not set: ${NO_HOST}`] });
  }
  const startedAt = now();
  const came = await untilEnd(
    { timeoutMs: TIMEOUT_MS },
    (signal) =>
      sendAuthorized(place, {
        url: `${url}/health`,
        method: "GET",
        headers: { accept: "application/json", ...place.hostHeaders },
        signal,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      }),
    () => ({ kind: "not_sent", reason: `no answer within ${TIMEOUT_MS} ms` }) as const,
  );
  const latencyMs = now() - startedAt;
  if (came.kind === "refused") {
    return found({ reachable: true, allowed: false, missing: [came.outcome.error.detail] });
  }
  if (came.kind === "not_sent" || came.kind === "broken_off") {
    return found({ reachable: false, allowed: null, missing: [`${url} does not answer: ${came.reason}`] });
  }
  if (came.kind !== "answer") {
    return found({ reachable: true, allowed: null, latency_ms: latencyMs, missing: [`no host at ${url}: ${NO_HOST}`] });
  }
  const { status } = came;
  if (status === 401 || status === 403) {
    const missing = [`the credentials are refused: ${wordsOf(came)}`];
    return found({ reachable: true, allowed: false, latency_ms: latencyMs, missing });
  }
  const facts = status >= 200 && status < 300 ? factsOf(came.text) : undefined;
  if (facts === undefined) {
    const missing = [`no host at ${url} (/health answers status ${status}): ${NO_HOST}`];
    return found({ reachable: true, allowed: null, latency_ms: latencyMs, missing });
  }
  return found({ reachable: true, allowed: true, latency_ms: latencyMs, facts });
}

export function found(check: Partial<EnvironmentCheck> & { reachable: boolean }): EnvironmentCheck {
  return { allowed: null, latency_ms: null, missing: [], facts: {}, ...check };
}

/** What is short and plain in the host's answer; undefined when it is not a host's. */
function factsOf(text: string): Record<string, string | number | boolean> | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof member(body, "protocol") !== "number") return undefined;
  const facts: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(body as object)) {
    if (typeof value === "number" || typeof value === "boolean") facts[name] = value;
    else if (typeof value === "string") facts[name] = value.slice(0, 256);
  }
  return facts;
}
