/// <reference types="@cloudflare/vitest-pool-workers/types" />
/**
 * A service that goes idle in the very moment in which requests come, a thousand of them: objects and doors are the real ones, what
 * runs is not. Services go through each round together, on one clock that jumps from one thing that is due to the next. Requests
 * come from several isolates, at the edges: the end of idling, of a lease, of what an object believes of a lease, of a stop, of a start.
 */
import { expect, it, vi } from "vitest";
import { environmentOf } from "../../src/model/_environment.test-util.ts";
import { ExposureSchema } from "../../src/model/services.ts";
import type { ServicesPort } from "../../src/adapters/service/port.ts";
import { createDoors } from "../../src/services/doors.ts";
import { LEASE_TTL_MS } from "../../src/services/messages.ts";
import * as v from "valibot";
import { clock, TestWorld } from "./services-world.ts";

vi.spyOn(console, "error").mockImplementation(() => undefined);

const SERVICES = 25;
const ROUNDS = 2;
const ISOLATES = 5;
const SEED = 11;
/** What an object believes of a lease, beyond the lease. */
const SILENCE_MS = LEASE_TTL_MS + 1_000;

function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
/** What comes when hangs on the seed alone; in which order things happen that are due together, on how many there are too. */
const [plan, order] = [randomOf(SEED), randomOf(SEED)];
const pick = <T>(from: readonly T[]): T => from[plan(from.length)] as T;

/** Idle for so long it is cold. Less than a lease, one, and more: it may be cold before a lease is over. */
const idling = (idleMs: number) => ({
  initial: "cold",
  states: { cold: { replicas: 0 }, hot: { replicas: 1 } },
  transitions: [
    { name: "warm_up", from: "cold", to: "hot", when: { fact: "waiting", op: ">", value: 0 } },
    { name: "cool_down", from: "hot", to: "cold", when: { fact: "idle_seconds", op: ">=", value: idleMs / 1_000 } },
  ],
});

type Timer = { at: number; work: () => void };

/** Of all races. */
const met = { answered: 0, takenBack: 0, phases: new Map<string, number>() };

class Races {
  readonly worlds: TestWorld[];
  readonly #timers = new Set<Timer>();
  readonly #doors: readonly ServicesPort[];
  /** Raised by whatever happens. */
  #stir = 0;
  #passing = 0;
  readonly wrong: string[] = [];
  answered = 0;
  readonly met = new Map<string, number>();

  constructor(idleMs: number) {
    this.worlds = Array.from({ length: SERVICES }, () => new TestWorld({}, idling(idleMs)));
    const doors = (): ServicesPort =>
      createDoors({
        exposure: async (name) => v.parse(ExposureSchema, { name, service: name }),
        service: async () => ({ max_waiting: 1_000 }),
        environment: async () => environmentOf("own"),
        object: (name) => {
          const world = this.worlds.find(({ service }) => service === name)!;
          return {
            acquire: (text) => this.#stirred(world.stub.acquire(text)),
            report: (text) => this.#through(world.stub.report(text)),
          };
        },
        now: () => clock.now,
        later: (ms, work) => this.after(ms, work),
        background: (work) => void work.catch(() => undefined),
      });
    this.#doors = Array.from({ length: ISOLATES }, doors);
  }

  after(ms: number, work: () => void): () => void {
    const timer = { at: clock.now + ms, work };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  async #stirred<T>(work: Promise<T>): Promise<T> {
    this.#stir += 1;
    try {
      return await work;
    } finally {
      this.#stir += 1;
    }
  }

  /** As what takes no time. */
  async #through<T>(work: Promise<T>): Promise<T> {
    this.#passing += 1;
    try {
      return await this.#stirred(work);
    } finally {
      this.#passing -= 1;
    }
  }

  /** One request, which takes so long. What it is sent to must be there from when it is sent until it has answered. */
  async call(world: TestWorld, takesMs: number, what: string): Promise<void> {
    const phase = world.is();
    this.met.set(phase, (this.met.get(phase) ?? 0) + 1);
    const entered = await this.#doors[order(ISOLATES)]!.enter(world.service, { waitMs: 10_000, avoid: new Set() });
    this.#stir += 1;
    if (!entered.ok) return void this.wrong.push(`${what}, ${phase}: refused: ${entered.error.detail}`);
    const { replica } = entered.replica;
    const isThere = (): boolean => world.running().some((kept) => kept.replica === replica && kept.status === "ready");
    if (!isThere()) this.wrong.push(`${what}, ${phase}: sent to ${replica}, which does not run`);
    if (takesMs > 0) {
      await new Promise<void>((resolve) => void this.after(takesMs, resolve));
      if (!isThere()) this.wrong.push(`${what}, ${phase}: ${replica} was stopped while it had a request`);
    }
    entered.leave("answered");
    this.answered += 1;
    this.#stir += 1;
  }

  callIn(ms: number, world: TestWorld, takesMs: number, what: string): Promise<void> {
    return new Promise((resolve) => void this.after(ms, () => resolve(this.call(world, takesMs, what))));
  }

  /** Until nothing more follows from what has happened by now. */
  async settle(): Promise<void> {
    const seen = (): number => this.worlds.reduce((sum, world) => sum + world.writes + world.steps, this.#stir);
    for (let quiet = 0, before = seen(); quiet < 2;) {
      await scheduler.wait(0);
      const now = seen();
      quiet = now === before && this.#passing === 0 && !this.worlds.some((world) => world.isDue()) ? quiet + 1 : 0;
      before = now;
    }
  }

  /** From one thing that is due to the next, until then. */
  async until(time: number): Promise<void> {
    for (;;) {
      await this.settle();
      const times = [
        ...[...this.#timers].map(({ at }) => at),
        ...this.worlds.flatMap((world) => [world.alarmAt ?? Infinity, world.dueAt]),
      ];
      const next = Math.max(clock.now, Math.min(...times));
      if (next > time) break;
      clock.now = next;
      const rings = this.worlds.filter(({ alarmAt }) => alarmAt !== undefined && alarmAt <= next);
      const due = [...this.#timers].filter(({ at }) => at <= next);
      const acts: (() => void)[] = [
        ...rings.map((world) => () => {
          world.alarmAt = undefined;
          void this.#through(world.ring());
        }),
        ...due.map((timer) => () => {
          if (this.#timers.delete(timer)) timer.work();
        }),
      ];
      // All of it in one moment, in any order.
      while (acts.length > 0) acts.splice(order(acts.length), 1)[0]?.();
    }
    clock.now = time;
  }

  async untilAnswered(calls: readonly Promise<void>[]): Promise<void> {
    const over = new AbortController();
    void Promise.all(calls).then(() => over.abort());
    const giveUpAt = clock.now + 20_000;
    while (!over.signal.aborted && clock.now < giveUpAt) await this.until(clock.now + 50);
  }
}

/** Less than a lease, one, what an object believes of one, and more: it may be cold before a lease is over, with it, and after. */
it.each([500, LEASE_TTL_MS, SILENCE_MS, 3_000])(
  "250 requests: none fails, nor is sent to what does not run (cold after %i ms)",
  async (idleMs) => {
    const races = new Races(idleMs);
    const { worlds } = races;
    // All hot, and idle from the same moment on.
    await races.untilAnswered(worlds.map((world) => races.call(world, 0, "the first")));
    for (let round = 0; round < ROUNDS; round++) {
      const [startMs, stopMs] = [pick([1, 100, 200]), pick([0, 100, 200])];
      const ends = [idleMs, Math.max(idleMs, SILENCE_MS)];
      const edges = [...ends, ...ends.map((end) => end + stopMs), ...ends.map((end) => end + stopMs + startMs)];
      for (const world of worlds) Object.assign(world, { startMs, stopMs });
      const calls = Array.from({ length: SERVICES * ISOLATES }, (_, n) => {
        const world = worlds[n % SERVICES]!;
        const inMs = Math.max(0, pick(edges) + pick([-LEASE_TTL_MS / 2, -1, 0, 0, 1, 50]));
        return races.callIn(inMs, world, pick([0, 0, 0, 500]), `round ${round}, ${inMs} ms after the last`);
      });
      await races.untilAnswered(calls);
    }
    await races.until(clock.now + 20_000);
    expect(races.wrong).toEqual([]);
    for (const world of worlds) {
      expect(new Set(world.begun).size).toBe(world.begun.length);
      expect(world.stopped).toEqual(world.begun);
      expect(world.running()).toEqual([]);
      expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
    }
    met.answered += races.answered;
    for (const [phase, count] of races.met) met.phases.set(phase, (met.phases.get(phase) ?? 0) + count);
    const events = (await Promise.all(worlds.map((world) => world.events()))).flat();
    met.takenBack += events.filter((what) => what.endsWith("it is given requests again")).length;
  },
  100_000,
);

it("they met every phase of a service", () => {
  expect(met.answered).toBeGreaterThan(4 * SERVICES * ROUNDS * ISOLATES);
  // "stopping" too, mostly: what is due in one moment comes in any order, so how often is chance.
  expect([...met.phases.keys()]).toEqual(expect.arrayContaining(["nothing", "ready", "starting"]));
  expect(met.takenBack).toBeGreaterThan(10);
});
