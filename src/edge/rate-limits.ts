/**
 * The token's own limit, and what an answer says of the limits that it was held to: the fields RateLimit-Policy and
 * RateLimit of draft-ietf-httpapi-ratelimit-headers-10, one item a limit.
 */
import { SwitchyardError } from "../core/errors.ts";
import type { Principal } from "../model/principal.ts";
import { rateText, type Limited, type RateLimitsPort } from "../model/rate-limit.ts";

/** Adds to `limits` what the token's came to. Throws rate_limited. */
export async function limitToken(principal: Principal, limits: Limited[], rateLimits: RateLimitsPort): Promise<void> {
  const { id, name, rateLimit } = principal;
  if (rateLimit === undefined) return;
  const taken = await rateLimits.take("token", id, rateLimit);
  if (taken === undefined) return;
  limits.push(taken);
  if (taken.allowed) return;
  throw new SwitchyardError(
    "rate_limited",
    `Cannot accept the request now: the token "${name}" may ${rateText(rateLimit)}; there is room again in ${taken.afterMs} ms`,
    { afterMs: taken.afterMs },
  );
}

export function rateLimitHeaders(limits: readonly Limited[]): Record<string, string> {
  if (limits.length === 0) return {};
  return {
    "ratelimit-policy": limits
      .map(({ subject, policy }) => `"${subject}";q=${policy.limit};w=${policy.window_s}`)
      .join(", "),
    ratelimit: limits
      .map(({ subject, remaining, resetMs }) => `"${subject}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`)
      .join(", "),
  };
}

/** A switch of protocols has no answer that anybody would read. */
export function withRateLimits(response: Response, limits: readonly Limited[]): Response {
  if (limits.length === 0 || response.status === 101) return response;
  const answer = new Response(response.body, response);
  for (const [name, value] of Object.entries(rateLimitHeaders(limits))) answer.headers.set(name, value);
  return answer;
}
