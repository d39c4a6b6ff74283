/** For tests: a webhook's row with its defaults, and requests as senders make them. */
import * as v from "valibot";
import { WebhookSchema, type TriggerHandle } from "../../model/triggers.ts";
import { SCHEMES } from "./schemes/index.ts";
import { utf8, type Incoming } from "./schemes/scheme.ts";

/** 2026-11-29T10:00:00Z */
export const NOW = 1_796_205_600_000;

export function webhookOf(fields: Record<string, unknown>): TriggerHandle<"webhook"> {
  const row = v.parse(WebhookSchema, {
    name: "hook",
    operation: "demo",
    secrets: ["key"],
    scheme: "github",
    ...fields,
  });
  return { ...row, digest: "d", revision: 1, updated_at: "2026-11-29T00:00:00Z" };
}

export type SignedOptions = { secret: string; body?: string | Uint8Array<ArrayBuffer>; id?: string; atMs?: number };

/** A request that is signed as the webhook wants it. */
export async function signedRequest(
  webhook: TriggerHandle<"webhook">,
  { secret, body = '{"a":1}', id = "msg_1", atMs = NOW }: SignedOptions,
): Promise<Incoming> {
  const bytes = typeof body === "string" ? utf8(body) : body;
  const request = { method: "POST", path: "/hooks/hook", body: bytes };
  const proof = await SCHEMES[webhook.scheme].sign({ ...request, secret, id, timestampMs: atMs }, webhook);
  return { ...request, headers: new Headers({ "content-type": "application/json", ...proof }) };
}
