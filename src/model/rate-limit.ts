/** How many calls or requests in how much time: as a row says it, and what somebody who is held to it is told. */
import * as v from "valibot";

const DAY_S = 24 * 60 * 60;
const MOST = 1_000_000;

function count(most: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most));
}

export const RateLimitSchema = v.strictObject({
  /** So many in `window_s` seconds, evenly: one every window_s / limit seconds on average. */
  limit: count(MOST),
  window_s: count(DAY_S),
  /** How many may come at once after a pause. null is `limit`. */
  burst: v.optional(v.nullable(count(MOST)), null),
});
export type RateLimit = v.InferOutput<typeof RateLimitSchema>;

/** All calls of an operation share its limit, all requests of a token that of the token. */
export type LimitSubject = "operation" | "token";

/** What one call or request came to. */
export type Taken = {
  allowed: boolean;
  /** How many more may come now. */
  remaining: number;
  /** Milliseconds until as many may come at once as ever. */
  resetMs: number;
  /** Milliseconds until the next is allowed; 0 while there are any remaining. */
  afterMs: number;
};

/** A limit that was looked at, for the headers of the answer. */
export type Limited = Taken & { subject: LimitSubject; policy: RateLimit };

/** Where limits are counted: right for all isolates and processes together. */
export interface RateLimitsPort {
  /** `id`: the operation's name, the token's id. undefined: nobody could say, and the call goes on. Never throws. */
  take(subject: LimitSubject, id: string, policy: RateLimit): Promise<Limited | undefined>;
}

export function rateText({ limit, window_s: windowS, burst }: RateLimit): string {
  const most = burst === null || burst === limit ? "" : `, ${burst} at once`;
  return `call ${limit} times in ${windowS} s${most}`;
}
