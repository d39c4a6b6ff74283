/**
 * One service, as one isolate enters it. With a lease in hand a request is let through at once; without one it waits in turn behind
 * the one message that is under way to the service's object.
 *
 * Requests of one isolate share all of this, and in workerd each has a context of its own that may end at any time and takes with it
 * whatever it was waiting for. So whatever one request does for the others (asking for a lease, telling) is kept alive beyond it
 * and is taken for lost when it is late; and a request that waits for others wakes by a timer of its own and looks for itself.
 */
import type { Cancellation } from "../core/cancellation.ts";
import { unstarted } from "../adapters/adapter.ts";
import type { Left } from "../adapters/service/port.ts";
import type { Outcome } from "../model/outcome.ts";
import { LEASE_TTL_MS, type AcquireAnswer, type AcquireOrder, type LeasedReplica } from "./messages.ts";
import { Replicas, type Entry, type Via, type Way } from "./_replicas.ts";
import { Teller } from "./_teller.ts";

/** The service's object. Texts are JSON: AcquireOrder → AcquireAnswer; HolderReport. */
export type ServiceObjectPort = {
  acquire(text: string): Promise<string>;
  report(text: string): Promise<unknown>;
};

export type DoorPorts = {
  object: ServiceObjectPort;
  now(): number;
  /** Calls back in the context of the request that runs now. Answers how to take that back. */
  later(ms: number, work: () => void): () => void;
  /** Keeps work alive beyond the request that began it. */
  background(work: Promise<unknown>): void;
};

export type Wish = {
  via: Via;
  avoid: ReadonlySet<string>;
  /** When the request gives up. */
  until: number;
  maxWaiting: number;
  cancellation?: Cancellation | undefined;
};

export type Taken = {
  ok: true;
  replica: LeasedReplica;
  way: Way;
  others: boolean;
  /** It had to wait. */
  isCold: boolean;
  leave: (how: Left) => void;
};
type Refused = Outcome & { ok: false };

/** Half of a lease: how long the object may hold an answer back, so that the lease that it then gives is worth something. */
const TICK_MS = LEASE_TTL_MS / 2;
/** Beyond what the object was given, an answer counts as lost. */
const PATIENCE_MS = 2_000;
const PAUSE_MS = 100;
const MOST_PAUSE_MS = 1_000;
/** Beyond its time-out, a request that is not back never will be. */
const LINGER_MS = 5_000;

type Lease = { ask: number; askedAt: number; until: number; replicas: readonly LeasedReplica[] };
type Waiter = { until: number; refused?: Refused; wake: () => void };

export class Door {
  readonly #service: string;
  readonly #ports: DoorPorts;
  readonly #replicas = new Replicas();
  readonly #teller: Teller;
  /** In the order of their coming. */
  readonly #queue = new Set<Waiter>();
  #lease: Lease | undefined;
  /** Messages asked with so far; the last one's number. */
  #asks = 0;
  #asking: { lostAt: number } | undefined;
  #failures = 0;
  #reason = "it was not asked yet";
  #elsewhere = 0;

  constructor(service: string, holder: string, ports: DoorPorts) {
    this.#service = service;
    this.#ports = ports;
    this.#teller = new Teller(holder, ports, { replicas: this.#replicas, waiting: () => this.#waiting() });
  }

  /** A replica for one request, which must leave it again. Waits for one. */
  async take(wish: Wish): Promise<Taken | Refused> {
    const { until, cancellation, maxWaiting } = wish;
    // Whoever has tried all that there are wants to hear what the object says of them now.
    const since = this.#asks;
    const waitMs = Math.max(0, until - this.#ports.now());
    let waiter: Waiter | undefined;
    let forget: (() => void) | undefined;
    try {
      for (;;) {
        if (cancellation?.requested === true) return this.#cancelled();
        const found = this.#enter(wish, { since, isCold: waiter !== undefined });
        if (found !== undefined) return found;
        if (waiter?.refused !== undefined) return waiter.refused;
        const now = this.#ports.now();
        if (now >= until) return this.#late(waitMs);
        if (waiter === undefined) {
          if (this.#waiting() + this.#elsewhere >= maxWaiting) {
            // It becomes warm all the same.
            this.#ask(0, 1);
            return this.#crowded(maxWaiting);
          }
          waiter = { until: until + LINGER_MS, wake: () => undefined };
          const joined = waiter;
          forget = cancellation?.onRequest(() => joined.wake());
        }
        this.#queue.add(waiter);
        this.#ask(TICK_MS);
        await this.#woken(waiter, Math.min(TICK_MS, until - now));
      }
    } finally {
      forget?.();
      if (waiter !== undefined) this.#queue.delete(waiter);
    }
  }

  #enter(
    { via, avoid, until }: Wish,
    { since, isCold }: { since: number; isCold: boolean },
  ): Taken | Refused | undefined {
    const lease = this.#lease;
    const now = this.#ports.now();
    // One that was asked for later than now is of before the clock was put back.
    if (lease === undefined || now < lease.askedAt || now >= lease.until || lease.replicas.length === 0)
      return undefined;
    const untried = avoid.size === 0 ? lease.replicas : lease.replicas.filter(({ replica }) => !avoid.has(replica));
    if (untried.length === 0 && lease.ask <= since) return undefined;
    const choice = this.#replicas.choose(untried.length === 0 ? lease.replicas : untried, { via, now });
    if (choice === undefined) return this.#withoutAddress();
    const entry = this.#replicas.begin(choice, { via, until: until + LINGER_MS, now });
    const { done, stop } = this.#teller.begun();
    // A client that hangs up takes its request's context with it, and nobody would leave.
    this.#ports.background(done);
    if (now >= lease.askedAt + (lease.until - lease.askedAt) / 2) this.#ask(0);
    const { replica, way, others } = choice;
    const leave = (how: Left): void => {
      stop();
      this.#leave(entry, how);
    };
    return { ok: true, replica, way, others: others && untried.length > 1, isCold, leave };
  }

  #leave(entry: Entry, how: Left): void {
    const isBroken = this.#replicas.end(entry, how, this.#ports.now());
    this.#teller.ended({ isUrgent: isBroken });
  }

  #waiting(): number {
    const now = this.#ports.now();
    // Oldest first, but with time-outs of their own.
    for (const waiter of this.#queue) if (waiter.until < now) this.#queue.delete(waiter);
    return this.#queue.size;
  }

  /** Until somebody wakes it, or its own time has come to look. */
  #woken(waiter: Waiter, ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#ports.later(ms, resolve);
    waiter.wake = resolve;
    return promise.then(cancel);
  }

  /** Asks for a lease, unless that is under way. It may take `waitMs` to be answered. `turnedAway`: those who would have waited. */
  #ask(waitMs: number, turnedAway = 0): void {
    const now = this.#ports.now();
    if (this.#asking !== undefined && now < this.#asking.lostAt) return;
    const asking = { lostAt: now + waitMs + PATIENCE_MS };
    this.#asking = asking;
    this.#asks += 1;
    this.#ports.background(this.#asked(asking, { ask: this.#asks, askedAt: now, waitMs, turnedAway }));
  }

  async #asked(
    asking: { lostAt: number },
    { ask, askedAt, waitMs, turnedAway }: { ask: number; askedAt: number; waitMs: number; turnedAway: number },
  ): Promise<void> {
    const told = this.#teller.take();
    const order: AcquireOrder = { ...told.report, waiting: told.report.waiting + turnedAway, waitMs };
    let answer: AcquireAnswer | undefined;
    let failure = "no answer";
    try {
      const text = await this.#inTime(waitMs + PATIENCE_MS, this.#ports.object.acquire(JSON.stringify(order)));
      if (text !== undefined) answer = JSON.parse(text) as AcquireAnswer;
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    if (answer === undefined) {
      told.putBack();
      this.#reason = `its controller must answer; it does not: ${failure}`;
      this.#failures += 1;
      const pauseMs = Math.min(PAUSE_MS * 2 ** (this.#failures - 1), MOST_PAUSE_MS);
      asking.lostAt = this.#ports.now() + pauseMs + TICK_MS;
      await this.#pause(pauseMs);
    } else this.#failures = 0;
    if (this.#asking === asking) this.#asking = undefined;
    if (answer === undefined) this.#wakeFirst();
    else this.#hear(answer, { ask, askedAt });
  }

  #hear(answer: AcquireAnswer, { ask, askedAt }: { ask: number; askedAt: number }): void {
    switch (answer.kind) {
      case "lease": {
        this.#elsewhere = 0;
        // An older answer that was late.
        if (this.#lease !== undefined && this.#lease.ask > ask) return;
        this.#lease = { ask, askedAt, until: askedAt + answer.ttlMs, replicas: answer.replicas };
        this.#replicas.lease(answer.replicas);
        this.#wakeAll();
        return;
      }
      case "warming":
        this.#reason = answer.reason;
        this.#elsewhere = answer.elsewhere;
        this.#wakeFirst();
        return;
      case "refused": {
        const { error } = answer;
        const retry =
          error.after_ms === undefined
            ? ({ kind: "may" } as const)
            : ({ kind: "after", after_ms: error.after_ms } as const);
        this.#wakeAll({ ok: false, error, retry, logs: [], unstarted: true });
      }
    }
  }

  /** None of them waits any more; whoever must wait again joins again. */
  #wakeAll(refused?: Refused): void {
    const woken = [...this.#queue];
    this.#queue.clear();
    for (const waiter of woken) {
      if (refused !== undefined) waiter.refused = refused;
      waiter.wake();
    }
  }

  /** It asks next. Should it have gone, the others find out by their own timers. */
  #wakeFirst(): void {
    for (const waiter of this.#queue) return waiter.wake();
  }

  async #inTime<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
    const late = Promise.withResolvers<undefined>();
    const cancel = this.#ports.later(ms, () => late.resolve(undefined));
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      cancel();
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#ports.later(ms, resolve));
  }

  #late(waitMs: number): Refused {
    return unstarted(
      "environment_unavailable",
      `Cannot reach the service "${this.#service}": a replica must be ready within the time-out, of which ${waitMs} ms were left; none is: ${this.#reason}`,
      { hint: `opctl get service ${this.#service}` },
    );
  }

  #crowded(maxWaiting: number): Refused {
    const afterMs = LEASE_TTL_MS;
    const refused = unstarted(
      "environment_throttled",
      `Cannot wait for the service "${this.#service}": at most ${maxWaiting} requests may (max_waiting); ${this.#waiting() + this.#elsewhere} do`,
      { retry: { kind: "after", after_ms: afterMs } },
    );
    return { ...refused, error: { ...refused.error, after_ms: afterMs } };
  }

  #cancelled(): Refused {
    const detail = `Cannot reach the service "${this.#service}": its caller must still want it; it is cancelled`;
    return unstarted("execution_cancelled", detail, { retry: { kind: "never" } });
  }

  #withoutAddress(): Refused {
    return unstarted(
      "environment_misconfigured",
      `Cannot reach the service "${this.#service}" directly: its replicas must have addresses; none has`,
      { hint: 'set the exposure\'s via to "auto" or "environment"' },
    );
  }
}
