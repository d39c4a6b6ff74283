/**
 * The Durable Object that counts one limit: one object for each operation or token that has one, so that it is right
 * whatever isolate asks. It decides in memory and writes at most once a second, behind the answers: a process that is lost
 * forgets up to a second of what it let through. An object with nothing left to remember deletes what it stored.
 */
import { DurableObject } from "cloudflare:workers";
import { logError } from "../core/log.ts";
import { admit, emptyInMs, type Meter } from "../core/gcra.ts";
import type { RateLimit, Taken } from "../model/rate-limit.ts";

const METER = "meter";
const WRITE_EVERY_MS = 1_000;

export class RateLimiter extends DurableObject {
  #meter: Meter | undefined;
  /** Counted since the last write. */
  #isUnwritten = false;
  #alarmAt = Number.POSITIVE_INFINITY;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    void state.blockConcurrencyWhile(async () => {
      this.#meter = await state.storage.get<Meter>(METER);
      this.#alarmAt = (await state.storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
    });
  }

  /** Counts one, if there is room. */
  take({ limit, window_s: windowS, burst }: RateLimit): Taken {
    const now = Date.now();
    const rate = { limit, windowMs: windowS * 1000, burst: burst ?? limit };
    const { meter, allowed, remaining, resetMs, afterMs } = admit(this.#meter, rate, now);
    this.#meter = meter;
    // One that is refused leaves nothing to remember.
    if (allowed) {
      this.#isUnwritten = true;
      if (this.#alarmAt > now + WRITE_EVERY_MS) this.#wakeAt(now + WRITE_EVERY_MS);
    }
    return { allowed, remaining, resetMs, afterMs };
  }

  /** Never throws: the runtime gives up on an alarm that does. */
  override async alarm(): Promise<void> {
    this.#alarmAt = Number.POSITIVE_INFINITY;
    const now = Date.now();
    try {
      const idleInMs = this.#meter === undefined ? 0 : emptyInMs(this.#meter, now);
      if (this.#isUnwritten) {
        this.#isUnwritten = false;
        await this.ctx.storage.put(METER, this.#meter, { allowUnconfirmed: true });
        this.#wakeAt(now + WRITE_EVERY_MS);
      } else if (idleInMs > 0) this.#wakeAt(now + idleInMs);
      else {
        this.#meter = undefined;
        await this.ctx.storage.deleteAll();
      }
    } catch (error) {
      this.#isUnwritten = true;
      logError("a rate limit is not written", error);
      this.#wakeAt(now + WRITE_EVERY_MS);
    }
  }

  #wakeAt(time: number): void {
    this.#alarmAt = time;
    // A failed write ends the object by itself; the next one begins from what is stored.
    void this.ctx.storage.setAlarm(time, { allowUnconfirmed: true });
  }
}
