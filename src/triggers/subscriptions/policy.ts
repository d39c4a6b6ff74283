/** How often, and how long, a delivery is tried. */
import type { Policy } from "../../dispatch/dispatch.ts";
import { DELIVERY_RETRY, DELIVERY_TIMEOUT_MS, type Subscription } from "../../model/triggers.ts";

export function policyOf({ retry, timeout_ms: timeoutMs }: Subscription): Policy {
  return { retry: retry ?? DELIVERY_RETRY, timeoutMs: timeoutMs ?? DELIVERY_TIMEOUT_MS };
}
