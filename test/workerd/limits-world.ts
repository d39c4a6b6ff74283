/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** Rate limiters whose clock the tests hold. It stands still, years ahead: no alarm fires unless a test rings it. */
import { env as bindings } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { RateLimiter as RealLimiter } from "../../src/limits/rate-limiter.ts";

export const START = Date.UTC(2040, 0, 1);

declare global {
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var limitsClock: { now: number } | undefined;
}

// This file is loaded more than once into one isolate.
export const clock = (globalThis.limitsClock ??= { now: START });
Date.now = () => clock.now;

export class RateLimiter extends RealLimiter {
  alarmAt(): Promise<number | null> {
    return this.ctx.storage.getAlarm();
  }

  async stored(): Promise<number> {
    return (await this.ctx.storage.list()).size;
  }

  /** As the runtime does it: the alarm is forgotten, then the handler called. */
  async ring(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    await this.alarm();
  }

  /** As a process that is killed: what has not been written is gone. */
  break(): void {
    this.ctx.abort("killed by the test");
  }
}

export const limiters = (bindings as unknown as { RATE_LIMITS: DurableObjectNamespace<RateLimiter> }).RATE_LIMITS;

export type Stub = DurableObjectStub<RateLimiter>;

/** Its next use makes it anew, from what is stored. */
export async function evict(stub: Stub): Promise<void> {
  await evictDurableObject(stub);
}

export function inside<T>(stub: Stub, work: (limiter: RateLimiter) => T | Promise<T>): Promise<T> {
  return runInDurableObject(stub, work);
}

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler;
