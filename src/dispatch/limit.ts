/** May this operation be called now? Counted before anything runs or is kept; an attempt of what is kept is not counted again. */
import { SwitchyardError } from "../core/errors.ts";
import { rateText, type Limited, type RateLimit, type RateLimitsPort } from "../model/rate-limit.ts";

/** Throws rate_limited. */
export async function limit(
  name: string,
  policy: RateLimit,
  { limited }: { limited?: (limited: Limited) => void },
  rateLimits: RateLimitsPort,
): Promise<void> {
  const taken = await rateLimits.take("operation", name, policy);
  if (taken === undefined) return;
  limited?.(taken);
  if (taken.allowed) return;
  throw new SwitchyardError(
    "rate_limited",
    `Cannot call "${name}" now: all its callers together may ${rateText(policy)}; there is room again in ${taken.afterMs} ms`,
    { afterMs: taken.afterMs },
  );
}
