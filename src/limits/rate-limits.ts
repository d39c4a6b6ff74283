/**
 * Asks the object that counts. One that does not answer lets everybody through: a limit is there to protect, and a
 * platform that is down because its counter is protects nobody. It is said in the log.
 */
import { log } from "../core/log.ts";
import { within } from "../core/within.ts";
import type { Limited, LimitSubject, RateLimit, RateLimitsPort, Taken } from "../model/rate-limit.ts";

/** How long a call waits for its counter. */
const PATIENCE_MS = 1_000;
/** A counter that is away would fill the log with one line a call. */
const WARN_EVERY_MS = 1_000;

type Limiters = { getByName(name: string): { take(policy: RateLimit): Promise<Taken> } };

export class RateLimits implements RateLimitsPort {
  readonly #limiters: Limiters;
  readonly #now: () => number;
  readonly #patienceMs: number;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(limiters: Limiters, now: () => number, patienceMs = PATIENCE_MS) {
    this.#limiters = limiters;
    this.#now = now;
    this.#patienceMs = patienceMs;
  }

  async take(subject: LimitSubject, id: string, policy: RateLimit): Promise<Limited | undefined> {
    const name = `${subject}:${id}`;
    try {
      const taken = await within(this.#patienceMs, this.#limiters.getByName(name).take(policy));
      if (taken !== undefined) return { ...taken.value, subject, policy };
      this.#warn(name, `no answer within ${this.#patienceMs} ms`);
    } catch (error) {
      this.#warn(name, String(error));
    }
    return undefined;
  }

  #warn(name: string, reason: string): void {
    const now = this.#now();
    if (now - this.#warnedAt < WARN_EVERY_MS && now >= this.#warnedAt) return;
    this.#warnedAt = now;
    log("warn", `rate limit of ${name} not held, the call goes on: ${reason}`);
  }
}
