/**
 * Runs calls where HTTP leads: on our host behind an address, or on a service that the team has. The adapters for
 * plain HTTP, Google Cloud, Azure and Kubernetes differ only in how they authorise and in where they send.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { utf8Length } from "../../core/hash.ts";
import { LIMITS } from "../../core/limits.ts";
import { contextOf } from "../../core/trace.ts";
import type { HttpImplementation } from "../../model/implementations.ts";
import type { Outcome } from "../../model/outcome.ts";
import { outcomeOfThrown, unstarted, type AdapterCall, type AdapterPorts } from "../adapter.ts";
import { runOnHost } from "../host-call.ts";
import { exchange, type Answer, type Exchanged, type Send, type Sending } from "./exchange.ts";
import { messageOf, readRefusal, retryOf, wordsOf } from "./read-refusal.ts";
import { endedOutcome, untilEnd } from "./until-end.ts";

export type HttpPlace = {
  /** The environment's name, for sentences. */
  name: string;
  send: Send;
  /** Where our host is, and what paths of services are under; undefined: services are named by whole URLs only. */
  url: string | undefined;
  /** Origins beside that of `url` whose services are given the credentials. */
  origins?: readonly string[];
  /** undefined: the place asks for no credentials. */
  authorize?: Authorize;
  /** Sent to our host only: what it knows the platform by. */
  hostHeaders?: Readonly<Record<string, string>>;
  /** The longest body that the way to the place takes. */
  maxBytes: number;
};

/**
 * Headers that prove who asks. `renew`: those it gave before were refused, and what is cached of them is to be made anew.
 * What it throws, it throws before anything was sent; an outcome is what the call comes to.
 */
export type Authorize = (request: {
  url: string;
  renew: boolean;
  signal?: AbortSignal;
}) => Promise<{ headers: Record<string, string> } | { refused: Outcome & { ok: false } }>;

/** What a host or service is given beyond the time-out to say itself that it ran past it. */
const GRACE_MS = 500;
/** A reply's first line (logs, an error) beside the output. */
const HEAD_BYTES = 2 * 1024 * 1024;

export type HttpPorts = Pick<AdapterPorts, "isolates" | "artifacts" | "platformUrl" | "now">;

/** On our host, which must be at the place's address. */
export function callHost(call: AdapterCall, place: HttpPlace, ports: HttpPorts): Promise<Outcome> {
  const { operation, meta, options } = call;
  if (place.url === undefined) {
    return Promise.resolve(
      unstarted(
        "environment_misconfigured",
        `Cannot run "${operation.name}" in "${place.name}": a module needs our host, whose address is config.url; it is not set`,
      ),
    );
  }
  const url = `${place.url}/run`;
  const carry = async (order: string, signal: AbortSignal): Promise<string | Outcome> => {
    const headers = { ...callHeaders(call), ...place.hostHeaders, "content-type": "application/octet-stream" };
    const sending = {
      url,
      method: "POST",
      headers,
      body: order,
      signal,
      maxAnswerBytes: LIMITS.jsonBytes + HEAD_BYTES,
    };
    const came = await sendAuthorized(place, sending, true);
    if (came.kind === "refused") return came.outcome;
    return came.kind === "answer" ? hostReply(came, call, place, ports) : unanswered(came, call, place);
  };
  return untilEnd(
    { timeoutMs: meta.timeout_ms + GRACE_MS, cancellation: options?.cancellation },
    (signal) => runOnHost(call, (order) => carry(order, signal), ports, { maxBytes: place.maxBytes }),
    endedOutcome(operation.name, meta.timeout_ms),
  );
}

/** On a service that the team has: the input is the body, the output that of the answer. */
export function callService(
  call: AdapterCall,
  service: HttpImplementation,
  place: HttpPlace,
  ports: HttpPorts,
): Promise<Outcome> {
  const { operation, meta, options, input } = call;
  return untilEnd(
    { timeoutMs: meta.timeout_ms + GRACE_MS, cancellation: options?.cancellation },
    async (signal) => {
      try {
        const target = serviceUrl(service.url, place);
        if (input.length * 3 > place.maxBytes && utf8Length(input) > place.maxBytes) {
          return unstarted(
            "payload_too_large",
            `Cannot send the input to "${place.name}": it must be at most ${place.maxBytes} bytes; it is longer`,
            { retry: { kind: "never" } },
          );
        }
        const headers = {
          ...callHeaders(call),
          "content-type": "application/json",
          accept: "application/json, application/problem+json",
          "idempotency-key": idempotencyKey(call),
        };
        const sending = {
          url: target.url,
          method: service.method,
          headers,
          body: input,
          signal,
          maxAnswerBytes: LIMITS.jsonBytes,
        };
        const came = await sendAuthorized(place, sending, target.isTrusted);
        if (came.kind === "refused") return came.outcome;
        return came.kind === "answer" ? serviceOutcome(came, call, place, ports) : unanswered(came, call, place);
      } catch (thrown) {
        return outcomeOfThrown(thrown);
      }
    },
    endedOutcome(operation.name, meta.timeout_ms),
  );
}

/** Sends it with the place's credentials. Where they are refused, they are made anew once, and it is sent once more. */
export async function sendAuthorized(
  place: Pick<HttpPlace, "send" | "authorize">,
  sending: Sending,
  isTrusted = true,
): Promise<Exchanged | { kind: "refused"; outcome: Outcome & { ok: false } }> {
  const { authorize, send } = place;
  if (authorize === undefined || !isTrusted) return await exchange(send, sending);
  let before: string | undefined;
  let came: Exchanged | undefined;
  for (const renew of [false, true]) {
    let given: Awaited<ReturnType<Authorize>>;
    try {
      given = await authorize({
        url: sending.url,
        renew,
        ...(sending.signal === undefined ? {} : { signal: sending.signal }),
      });
    } catch (thrown) {
      const outcome = outcomeOfThrown(thrown) as Outcome & { ok: false };
      return { kind: "refused", outcome: { ...outcome, unstarted: true } };
    }
    if ("refused" in given) return { kind: "refused", outcome: given.refused };
    const credentials = JSON.stringify(given.headers);
    // What cannot be renewed is not refused twice.
    if (came !== undefined && credentials === before) return came;
    before = credentials;
    came = await exchange(send, { ...sending, headers: { ...sending.headers, ...given.headers } });
    if (came.kind !== "answer" || came.status !== 401) break;
  }
  return came as Exchanged;
}

/** Where a service is. Credentials go only to the origins that the environment names, whoever writes operations. */
export function serviceUrl(
  written: string,
  place: Pick<HttpPlace, "name" | "url" | "origins" | "authorize">,
): { url: string; isTrusted: boolean } {
  const refuse = (rule: string, isNow: string) =>
    new SwitchyardError(
      "environment_misconfigured",
      `Cannot send to "${written}" from "${place.name}": ${rule}; it is ${isNow}`,
    );
  if (written.startsWith("/") && place.url === undefined) throw refuse("a path needs config.url", "not set");
  const base = place.url === undefined ? undefined : new URL(place.url);
  const url = URL.parse(written.startsWith("/") ? `${place.url}${written}` : written);
  if (url === null || url.username !== "" || url.password !== "")
    throw refuse("it must be a URL without credentials", "not one");
  if (written.startsWith("/") && base !== undefined) {
    const prefix = base.pathname.endsWith("/") ? base.pathname : `${base.pathname}/`;
    if (url.origin !== base.origin || !url.pathname.startsWith(prefix))
      throw refuse("a path must stay under config.url", url.href);
  }
  const isTrusted = url.origin === base?.origin || place.origins?.includes(url.origin) === true;
  if (!isTrusted && place.authorize !== undefined) {
    throw refuse("credentials go to the origins of config.url and config.origins only", url.origin);
  }
  return { url: url.href, isTrusted };
}

/** Names one piece of work, the same at every attempt: an item of a batch is work of its own. */
function idempotencyKey({ meta }: AdapterCall): string {
  return meta.item === undefined ? meta.execution_id : `${meta.execution_id}.${meta.item}`;
}

function callHeaders({ meta }: AdapterCall): Record<string, string> {
  return {
    ...contextOf(meta),
    "switchyard-execution-id": meta.execution_id,
    "switchyard-attempt": String(meta.attempt),
    "switchyard-timeout-ms": String(meta.timeout_ms),
  };
}

function hostReply(answer: Answer, call: AdapterCall, place: HttpPlace, ports: HttpPorts): string | Outcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return answer.text;
  const what = `"${call.operation.name}" in "${place.name}"`;
  const nowMs = ports.now();
  const refused = readRefusal(answer, what, nowMs);
  if (refused !== undefined) return refused;
  if (status < 500) {
    return unstarted(
      "environment_misconfigured",
      `Cannot run ${what}: our host must answer at ${place.url}/run; what is there answers ${wordsOf(answer)}`,
      { hint: "set config.url to the host's own address; redirects are not followed" },
    );
  }
  // The host itself answers no 503: with a time to come back it is from what stands before it, and has no room.
  if (status === 503 && answer.headers.has("retry-after")) {
    return unstarted("environment_throttled", `Cannot run ${what}: it must have room; it answers ${wordsOf(answer)}`, {
      retry: retryOf(answer, nowMs),
    });
  }
  return lost(
    `Cannot tell what became of ${what}: the host must answer; what stands before it answers ${wordsOf(answer)}`,
  );
}

function serviceOutcome(answer: Answer, call: AdapterCall, place: HttpPlace, ports: HttpPorts): Outcome {
  const { status, text } = answer;
  const name = call.operation.name;
  if (status >= 200 && status < 300) {
    if (text === "" && (status === 204 || status === 205)) return { ok: true, output: "null", logs: [] };
    try {
      JSON.parse(text);
    } catch {
      return notJson(name, text === "" ? "empty" : (answer.headers.get("content-type") ?? "something else"));
    }
    return { ok: true, output: text, logs: [] };
  }
  const what = `"${name}" in "${place.name}"`;
  const nowMs = ports.now();
  const refused = readRefusal(answer, what, nowMs);
  if (refused !== undefined) return refused;
  if (status < 400) {
    // A service may redirect after it has done the work (303), so that it has not run is not certain.
    const detail = `Cannot run ${what}: the address must be the service's own; it redirects (${status}) to ${answer.headers.get("location") ?? "nowhere"}`;
    return { ok: false, error: { code: "environment_misconfigured", detail }, retry: { kind: "never" }, logs: [] };
  }
  const detail = messageOf(text) ?? `Cannot run ${what}: the service must succeed; it answers ${wordsOf(answer)}`;
  const retry =
    status < 500 ? ({ kind: "never" } as const) : status === 503 ? retryOf(answer, nowMs) : ({ kind: "may" } as const);
  return { ok: false, error: { code: "implementation_failed", detail }, retry, logs: [] };
}

function unanswered(came: Exclude<Exchanged, Answer>, { operation }: AdapterCall, place: HttpPlace): Outcome {
  const what = `"${operation.name}" in "${place.name}"`;
  switch (came.kind) {
    case "not_sent":
      return unstarted(
        "environment_unavailable",
        `Cannot run ${what}: it must be reachable; it is not: ${came.reason}`,
      );
    case "broken_off":
      return lost(`Cannot tell what became of ${what}: it must answer; the connection is lost: ${came.reason}`);
    case "not_text":
      return notJson(operation.name, "not UTF-8");
    case "too_large": {
      const detail = `Cannot answer for "${operation.name}": its output must be at most ${LIMITS.jsonBytes} bytes; it is longer`;
      return { ok: false, error: { code: "output_too_large", detail }, retry: { kind: "never" }, logs: [] };
    }
  }
}

function notJson(name: string, isNow: string): Outcome {
  const detail = `Cannot answer for "${name}": its output must be JSON; it is ${isNow}`;
  return { ok: false, error: { code: "output_not_json", detail }, retry: { kind: "may" }, logs: [] };
}

function lost(detail: string): Outcome {
  return { ok: false, error: { code: "executor_lost", detail }, retry: { kind: "may" }, logs: [] };
}
