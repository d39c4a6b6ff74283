/**
 * The built-in that tells a subscription of one event. It runs in executions, which give it its tries, its record, its
 * replay and its cancel; what runs it is triggers/subscriptions/deliver.ts.
 */
import * as v from "valibot";
import { JsonObjectSchema } from "../../model/implementations.ts";
import { NameSchema } from "../../model/names.ts";

export const DELIVERY_FUNCTION = "deliver_event";

export const deliveryInput = v.strictObject({
  subscription: NameSchema,
  /** What it is told, as docs/subscriptions.md describes it. */
  event: JsonObjectSchema,
});

export const deliveryOutput = v.union([
  /** What the URL answered. */
  v.strictObject({ status: v.number(), duration_ms: v.number() }),
  /** What was started. */
  v.strictObject({ execution_id: v.string() }),
]);
