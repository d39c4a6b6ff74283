/**
 * Runs calls where HTTP leads: on our host behind an address, or on a service that the team has. The adapters for
 * plain HTTP, Google Cloud, Azure and Kubernetes differ only in how they authorise and in where they send.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { utf8Length } from "../../core/hash.ts";
import { LIMITS } from "../../core/limits.ts";
import type { HttpImplementation } from "../../model/implementations.ts";
import type { Outcome } from "../../model/outcome.ts";
import { outcomeOfThrown, unstarted, type AdapterCall, type AdapterPorts } from "../adapter.ts";
import { runOnHost } from "../host-call.ts";
import { callHeaders, idempotencyKey } from "./call-headers.ts";
import { exchange, type Answer, type Exchanged, type Send, type Sending } from "./exchange.ts";
import { readRefusal, retryOf, wordsOf } from "./read-refusal.ts";
import { failureOf, jsonOutcome, lost, unanswered } from "./service-outcome.ts";
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
    const headers = { ...callHeaders(meta), ...place.hostHeaders, "content-type": "application/octet-stream" };
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
    if (came.kind === "answer") return hostReply(came, call, place, ports);
    return unanswered(came, { operation: operation.name, what: whatOf(call, place) });
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
          ...callHeaders(meta),
          "content-type": "application/json",
          accept: "application/json, application/problem+json",
          "idempotency-key": idempotencyKey(meta),
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
        const asked = { operation: operation.name, what: whatOf(call, place), nowMs: ports.now() };
        if (came.kind !== "answer") return unanswered(came, asked);
        return came.status >= 200 && came.status < 300 ? jsonOutcome(came, operation.name) : failureOf(came, asked);
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

function whatOf({ operation }: AdapterCall, place: HttpPlace): string {
  return `"${operation.name}" in "${place.name}"`;
}

function hostReply(answer: Answer, call: AdapterCall, place: HttpPlace, ports: HttpPorts): string | Outcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return answer.text;
  const what = whatOf(call, place);
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
