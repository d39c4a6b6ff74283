/** A subscription as its row has it, for tests. */
import * as v from "valibot";
import { SubscriptionSchema, type TriggerHandle } from "../../model/triggers.ts";

export function subscriptionOf(manifest: Record<string, unknown> = {}): TriggerHandle<"subscription"> {
  const row = v.parse(SubscriptionSchema, {
    name: "tell",
    ...(manifest["operation"] === undefined ? { url: "https://receiver.example.com/", unsigned: true } : {}),
    ...manifest,
  });
  return { ...row, digest: "d1", revision: 1, updated_at: "2026-11-29T00:00:00.000Z" };
}
