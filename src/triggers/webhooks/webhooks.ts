/**
 * Webhooks as the rest of the platform uses them: a request that comes in, one from the record once more, and a test. The last
 * two start what the webhook starts, with its rights and on somebody's demand; so whoever asks must have them too.
 */
import { ERRORS, fromErrorData, SwitchyardError, type ErrorData } from "../../core/errors.ts";
import { shardOfDeliveryId } from "../../core/ids.ts";
import type { DeliveryContent, DeliveryQuery, DeliveryView } from "../../model/delivery.ts";
import { beginTrace } from "../../core/trace.ts";
import type { Principal } from "../../model/principal.ts";
import type { TriggerHandle } from "../../model/triggers.ts";
import type { WebhookFunctions, WebhookTest, WebhookTested } from "../../registry/builtins/webhook-functions.ts";
import { assertWithinRights } from "../../model/within-rights.ts";
import { contentOf, isWhole, type Deliveries } from "./delivery-view.ts";
import { receive, receiveAgain, type HookRequest, type Received, type WebhookPorts } from "./receive.ts";
import { SCHEMES } from "./schemes/index.ts";
import { utf8 } from "./schemes/scheme.ts";

export interface Webhooks extends WebhookFunctions {
  /** Throws entity_not_found, and what the registry cannot be read for; all else is in the answer. */
  receive(name: string, request: HookRequest): Promise<Received>;
}

export function createWebhooks(ports: WebhookPorts, deliveries: Deliveries): Webhooks {
  return {
    receive: (name, request) => receive(name, request, ports),

    async find(id: string): Promise<DeliveryContent | undefined> {
      const stored = await deliveries.find(id);
      return stored === undefined ? undefined : contentOf(stored);
    },

    list: (query: DeliveryQuery): Promise<{ items: DeliveryView[]; next_cursor: string | null }> =>
      deliveries.list(query),

    async replay(id: string, principal: Principal) {
      const stored = shardOfDeliveryId(id) === undefined ? undefined : await deliveries.find(id);
      if (stored === undefined) return undefined;
      const { delivery, body } = stored;
      if (!delivery.verified) throw notReplayable(id, "it must have been verified; it was not");
      if (!isWhole(stored))
        throw notReplayable(
          id,
          `its body must be kept whole; of ${delivery.body_size_bytes} bytes there are ${body.byteLength}`,
          delivery.execution_id === null ? undefined : `opctl replay ${delivery.execution_id}`,
        );
      const webhook = await existing(delivery.webhook, ports);
      // It was signed when it came.
      assertWithinRights(principal, { ...webhook, secrets: [] }, { kind: "webhook", what: "replay a delivery of the" });
      const received = await receiveAgain(
        {
          webhook,
          method: delivery.method,
          path: delivery.path,
          headers: delivery.headers,
          body,
          id: delivery.event_id ?? undefined,
          timestampMs: delivery.signed_at_ms ?? undefined,
          signed: undefined,
        },
        id,
        ports,
      );
      const { result, deliveryId } = received;
      if (result.kind === "refused") throw fromErrorData(result.error);
      return {
        delivery_id: deliveryId,
        execution_id: result.kind === "answered" ? (result.answer.executionId ?? null) : null,
      };
    },

    async test(name: string, test: WebhookTest, principal: Principal): Promise<WebhookTested> {
      const webhook = await existing(name, ports);
      assertWithinRights(principal, webhook, { kind: "webhook", what: "test the" });
      const [secret = ""] = await ports.registry.triggerSecrets(webhook);
      const body = utf8(test.body);
      const path = `/hooks/${name}`;
      const timestampMs = ports.now() - test.age_s * 1_000;
      const signable = { method: "POST", path, body, secret, id: test.id, timestampMs };
      const proof = await SCHEMES[webhook.scheme].sign(signable, webhook);
      const headers = new Headers({ ...test.headers, ...proof });
      return toTested(
        await receive(name, { method: "POST", path, headers, trace: beginTrace(), body: async () => body }, ports),
      );
    },
  };
}

/** What the sender would have been told. */
function toTested({ deliveryId, result }: Received): WebhookTested {
  const tested = { delivery_id: deliveryId, execution_id: null, code: null, detail: null, errors: [] };
  switch (result.kind) {
    case "handshake":
      return { ...tested, status: 200, output: { challenge: result.challenge } };
    case "refused":
      return { ...tested, status: ERRORS[result.error.code].status, output: null, ...told(result.error) };
    case "answered": {
      const { executionId = null, outcome } = result.answer;
      const of = { ...tested, execution_id: executionId };
      if (outcome === undefined) return { ...of, status: 202, output: null };
      if (outcome.ok) return { ...of, status: 200, output: JSON.parse(outcome.output) as unknown };
      return { ...of, status: ERRORS[outcome.error.code].status, output: null, ...told(outcome.error) };
    }
  }
}

function told({ code, detail, errors = [] }: ErrorData) {
  return { code, detail, errors: [...errors] };
}

async function existing(name: string, { registry }: WebhookPorts): Promise<TriggerHandle<"webhook">> {
  const webhook = await registry.trigger("webhook", name);
  if (webhook !== undefined) return webhook;
  throw new SwitchyardError("entity_not_found", `Cannot find the webhook "${name}": it must be registered; it is not`, {
    hint: "opctl get webhooks",
  });
}

function notReplayable(id: string, rule: string, hint?: string): SwitchyardError {
  return new SwitchyardError(
    "bad_request",
    `Cannot replay the delivery "${id}": ${rule}`,
    hint === undefined ? {} : { hint },
  );
}
