/**
 * The way of a request to a webhook:
 *
 *     the row → its body → verify → read → map → dispatch → record → answer
 *
 * Whatever becomes of it, a request that reached a webhook leaves a record, which says more than the answer where the answer
 * goes to a stranger.
 */
import { logError } from "../../core/log.ts";
import { ERRORS, SwitchyardError, toErrorData, toSwitchyardError, type ErrorData } from "../../core/errors.ts";
import { newDeliveryId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import { beginTrace, type CallTrace } from "../../core/trace.ts";
import { dispatch, type Answer, type DispatchPorts } from "../../dispatch/dispatch.ts";
import type { NewDelivery } from "../../model/delivery.ts";
import { NAME_PATTERN } from "../../model/names.ts";
import { triggerPrincipalId, type TriggerHandle } from "../../model/triggers.ts";
import { shardOfWebhook } from "./delivery-shards.ts";
import { mapInput, type Delivered } from "./map-input.ts";
import type { Bytes } from "./schemes/scheme.ts";
import { verify } from "./verify.ts";
import { visibleHeaders } from "./visible-headers.ts";

export type WebhookPorts = {
  registry: {
    trigger(kind: "webhook", name: string): Promise<TriggerHandle<"webhook"> | undefined>;
    triggerSecrets(handle: TriggerHandle<"webhook">): Promise<readonly string[]>;
  };
  dispatch: DispatchPorts;
  /** Returns at once: the record is written off the way of the call. */
  record(delivery: NewDelivery, body: Bytes): void;
  now(): number;
};

/** `body` is read when it is wanted; it may throw payload_too_large. `path` is with its query. */
export type HookRequest = {
  method: string;
  path: string;
  headers: Headers;
  trace: CallTrace;
  body(): Promise<Bytes>;
};

export type Received = {
  deliveryId: string;
  result: Result;
};
export type Result =
  | { kind: "answered"; answer: Answer; traceparent: string }
  | { kind: "handshake"; challenge: string }
  | { kind: "refused"; error: ErrorData };

/** Places that a record names. An input may break its type in thousands. */
const MOST_ERRORS = 20;
const NO_BYTES: Bytes = new Uint8Array(0);

/** Throws entity_not_found, and what the registry cannot be read for. */
export async function receive(name: string, request: HookRequest, ports: WebhookPorts): Promise<Received> {
  const webhook = NAME_PATTERN.test(name) ? await ports.registry.trigger("webhook", name) : undefined;
  if (webhook === undefined) throw unknownWebhook(name);
  const { method, path } = request;
  const headers = visibleHeaders(request.headers, webhook);
  const delivered: Delivered = {
    webhook,
    method,
    path,
    headers,
    body: NO_BYTES,
    id: undefined,
    timestampMs: undefined,
    signed: undefined,
  };
  let verified = false;
  return recorded(delivered, { ports, isVerified: () => verified }, async (deliveryId) => {
    if (!webhook.active) throw inactive(name);
    delivered.body = await request.body();
    const secrets = await ports.registry.triggerSecrets(webhook);
    const incoming = { method, path, headers: request.headers, body: delivered.body };
    const verdict = await verify(incoming, { webhook, secrets, nowMs: ports.now() });
    if (!verdict.ok) throw unverified(name, verdict.reason);
    verified = true;
    Object.assign(delivered, { id: verdict.id, timestampMs: verdict.timestampMs, signed: verdict.signed });
    return start(delivered, { deliveryId, trace: request.trace }, ports);
  });
}

/** A verified request from its record, once more: it is mapped and dispatched as the row is now, and kept in any case. */
export async function receiveAgain(delivered: Delivered, original: string, ports: WebhookPorts): Promise<Received> {
  return recorded(delivered, { ports, isVerified: () => true, replayOf: original }, async (deliveryId) => {
    if (!delivered.webhook.active) throw inactive(delivered.webhook.name);
    return start(delivered, { deliveryId, trace: beginTrace(), again: true }, ports);
  });
}

async function start(
  delivered: Delivered,
  { deliveryId, trace, again = false }: { deliveryId: string; trace: CallTrace; again?: boolean },
  ports: WebhookPorts,
): Promise<Result> {
  const { webhook } = delivered;
  const mapped = await mapInput(delivered);
  if (mapped.kind === "handshake") return mapped;
  const idempotencyKey = again ? `replay:${deliveryId}` : mapped.dedupe;
  const id = triggerPrincipalId("webhook", webhook.name);
  const answer = await dispatch(
    {
      name: webhook.operation,
      input: mapped.input,
      principal: { id, name: id, scopes: webhook.scopes },
      caller: { type: "webhook", id: webhook.name },
      depth: 0,
      ...trace,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(webhook.response === "accepted" || again ? { async: true } : { waitMs: LIMITS.webhookWaitMs }),
    },
    ports.dispatch,
  );
  return { kind: "answered", answer, traceparent: trace.traceparent };
}

type Recording = { ports: WebhookPorts; isVerified: () => boolean; replayOf?: string };

async function recorded(
  delivered: Delivered,
  { ports, isVerified, replayOf }: Recording,
  run: (deliveryId: string) => Promise<Result>,
): Promise<Received> {
  const at = ports.now();
  const { webhook } = delivered;
  const deliveryId = newDeliveryId(shardOfWebhook(webhook.name), at);
  let result: Result;
  let told: ErrorData | undefined;
  try {
    result = await run(deliveryId);
    if (result.kind === "answered" && result.answer.outcome?.ok === false) told = result.answer.outcome.error;
  } catch (thrown) {
    const error = toSwitchyardError(thrown);
    if (error.code === "internal") logError("internal error", error.cause, { stack: error.stack });
    told = toErrorData(error);
    result = { kind: "refused", error: isVerified() ? toErrorData(error) : forStrangers(webhook.name, error) };
  }
  const { id, timestampMs, method, path, headers, body } = delivered;
  const answer = result.kind === "answered" ? result.answer : undefined;
  const status = statusOf(told !== undefined, isVerified(), answer);
  ports.dispatch.telemetry?.meter?.count("deliveries", status, told?.code ?? "");
  ports.record(
    {
      id: deliveryId,
      webhook: webhook.name,
      at_ms: at,
      status,
      verified: isVerified(),
      code: told?.code ?? null,
      detail: told?.detail ?? (result.kind === "handshake" ? "it asked whether somebody is there" : null),
      errors: (told?.errors ?? []).slice(0, MOST_ERRORS),
      execution_id: answer?.executionId ?? null,
      replay_of: replayOf ?? null,
      method,
      path: path.slice(0, 4_000),
      headers: { ...headers },
      event_id: id ?? null,
      signed_at_ms: timestampMs ?? null,
      body_size_bytes: body.byteLength,
    },
    body,
  );
  return { deliveryId, result };
}

function statusOf(wrong: boolean, verified: boolean, answer: Answer | undefined): NewDelivery["status"] {
  if (wrong) return verified ? "failed" : "refused";
  return answer?.kept?.repeated === true ? "duplicate" : "accepted";
}

/** Nobody who has not proved anything learns more than that it was not enough. */
function forStrangers(name: string, error: SwitchyardError): ErrorData {
  switch (error.code) {
    case "webhook_unverified":
      return {
        code: "webhook_unverified",
        detail: `Cannot accept the request to the webhook "${name}": it must prove that it comes from who knows the secret; it does not`,
        hint: "The record of the delivery says why: opctl get delivery ID, with the id in the header Delivery-Id.",
      };
    case "trigger_inactive":
      return toErrorData(unknownWebhook(name));
    default:
      // What is wrong with us is not theirs to know, beyond that the same request may go through later.
      if (ERRORS[error.code].fault === "user") return toErrorData(error);
      return {
        code: error.code,
        detail: `Cannot verify the request to the webhook "${name}" now: its row and its secrets must be readable; they are not`,
      };
  }
}

/** Of an inactive one the same is said, so that only who may read the registry knows that it is there. */
function unknownWebhook(name: string): SwitchyardError {
  return new SwitchyardError(
    "entity_not_found",
    `Cannot deliver to the webhook "${name.slice(0, 128)}": it must be there and active; it is not`,
    { hint: "opctl get webhooks" },
  );
}

function inactive(name: string): SwitchyardError {
  return new SwitchyardError(
    "trigger_inactive",
    `Cannot deliver to the webhook "${name}": its row must say active: true; it says false`,
  );
}

function unverified(name: string, reason: string): SwitchyardError {
  return new SwitchyardError("webhook_unverified", `Cannot accept the request to the webhook "${name}": ${reason}`);
}
