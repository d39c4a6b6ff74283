/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** The object of a service: hot when it is wanted, cold when it is not, and never a request that fails for it. */
import { describe, expect, it, vi } from "vitest";
import type { AcquireAnswer } from "../../src/services/messages.ts";
import { EVERY, firstKill } from "./_kills.ts";
import { clock, errorOf, SECOND, START, TestWorld } from "./services-world.ts";

vi.spyOn(console, "error").mockImplementation(() => undefined);

const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** As hot_cold, and five seconds of idling are enough. */
const BRIEF = {
  initial: "cold",
  states: { cold: { replicas: 0 }, hot: { replicas: 1 } },
  transitions: [
    { name: "warm_up", from: "cold", to: "hot", when: { fact: "waiting", op: ">", value: 0 } },
    { name: "cool_down", from: "hot", to: "cold", when: { fact: "idle_seconds", op: ">=", value: 5 } },
  ],
};
const OPEN = { initial: "on", states: { on: { replicas: null } }, transitions: [] };

const leased = (answer: AcquireAnswer): string | string[] =>
  answer.kind === "lease" ? answer.replicas.map(({ replica }) => replica) : answer.kind;

/** Hot, with one replica that no request is with. */
async function warm(world: TestWorld): Promise<string> {
  const [replica = ""] = leased(await world.acquire()) as string[];
  await world.report();
  await world.stub.rest();
  return replica;
}

/** Who asks waits while the test goes on, so it must be known that the question has come. */
async function failed(world: TestWorld, times: number): Promise<void> {
  await expect.poll(async () => (await world.status()).crashes.failures).toBe(times);
}

/** Idle since then, and with a lease that was renewed just now: no request has come of it. */
async function idle(world: TestWorld, ms: number): Promise<void> {
  await world.pass(ms - 500);
  await world.acquire({ waiting: 0, idleMs: ms - 500 });
  await world.report({ idleMs: ms - 500 });
  await world.pass(500);
}

/** `begun`: requests in a second. */
const busy = async (world: TestWorld, begun: number, seconds: number) => {
  for (let second = 0; second < seconds; second += 5) {
    await world.acquire({ waiting: 0, inFlight: { any: 1 }, begun: 5 * begun });
    await world.pass(5 * SECOND);
  }
};

const asking = (to: string) => ({
  initial: "a",
  states: { a: { replicas: 0 }, b: { replicas: 1 }, c: { replicas: 0 } },
  transitions: [{ name: "go", from: "a", to, when: { operation: "may" } }],
});

describe("a service", () => {
  it("sleeps while nobody wants it", async () => {
    const world = new TestWorld();
    await world.changed();
    expect(await world.status()).toMatchObject({ state: "cold", wanted: 0, replicas: [] });
    expect(await world.stub.alarmAt()).toBeNull();
  });

  it("is started for a request, kept while it idles, and stopped after five minutes", async () => {
    const world = new TestWorld();
    const answer = await world.acquire();
    expect(answer).toMatchObject({ kind: "lease", ttlMs: 1_000, replicas: [{ place: "one", environment: "own" }] });
    expect(world.begun).toHaveLength(1);
    await world.report();
    await world.pass(299 * SECOND);
    expect(await world.phases()).toEqual(["ready"]);
    await world.pass(4 * SECOND);
    expect(world.stopped).toEqual(world.begun);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
    await world.pass(MINUTE);
    expect(await world.stub.alarmAt()).toBeNull();
    expect(clock.now).toBeGreaterThan(START);
  });

  it("is started once for a thousand requests of one moment", async () => {
    const world = new TestWorld();
    world.holds = true;
    const answers = Array.from({ length: 1_000 }, (_, n) => world.acquire({ holder: `h${n}` }));
    await world.stub.rest();
    expect(await world.status()).toMatchObject({ waiting: 1_000, replicas: [{ phase: "starting" }] });
    await world.release();
    const got = (await Promise.all(answers)).flatMap(leased);
    expect(new Set(got)).toEqual(new Set(world.begun));
    expect(world.begun).toHaveLength(1);
  });

  it("says that it is warming to who waits no longer, and who else waits", async () => {
    const world = new TestWorld();
    world.holds = true;
    const waits = world.acquire({ holder: "other", waiting: 3 });
    await world.stub.rest();
    const answer = await world.acquire({ waitMs: 0 });
    expect(answer).toEqual({ kind: "warming", reason: "no replica is ready yet", elsewhere: 3 });
    await world.release();
    expect((await waits).kind).toBe("lease");
  });

  it("says how many wait, and how long it idles, by the same facts; and why it moved as of the past", async () => {
    const world = new TestWorld();
    world.holds = true;
    const deployed = world.command({ do: "deploy", by: "ann" });
    await world.stub.rest();
    expect(await world.status()).toMatchObject({ waiting: 1, facts: { waiting: 1 } });
    await world.release();
    expect(await deployed).toBeUndefined();
    expect(await world.events()).toContain('"ann" deployed it');
    await world.pass(8 * SECOND);
    clock.now += 700;
    const { because, facts, next } = await world.status();
    expect(because).toEqual(["waiting > 0: it was 1"]);
    expect(facts["idle_seconds"]).toBeGreaterThan(0);
    expect(next).toMatchObject([{ because: [`idle_seconds >= 300: it is ${String(facts["idle_seconds"])}`] }]);
  });

  it("at an address says what the last look was answered, while it is waited for", async () => {
    const world = new TestWorld({ run: { address: "http://far" }, health: { failures: 100 } });
    world.holds = true;
    world.unwell = "http://far/: nobody is there";
    const waits = world.acquire({ holder: "other" });
    await world.stub.rest();
    await world.pass(2 * SECOND);
    expect(await world.acquire({ waitMs: 0 })).toMatchObject({
      kind: "warming",
      reason: "the last look at http://far was answered: http://far/: nobody is there",
    });
    const { replicas, events } = await world.status();
    expect(replicas).toMatchObject([{ phase: "starting", ended: "last look: http://far/: nobody is there" }]);
    expect(events.filter(({ what }) => what.includes("replaced"))).toEqual([]);
    world.unwell = undefined;
    await world.release();
    expect((await waits).kind).toBe("lease");
  });

  it("is there without a request where its machine says so", async () => {
    const world = new TestWorld({ replicas: { min: 2 } }, "always_on");
    await world.changed();
    expect(await world.phases()).toEqual(["ready", "ready"]);
    await world.pass(10 * MINUTE);
    expect(world.begun).toHaveLength(2);
  });

  it("that nobody has registered is refused, and nothing is kept of it", async () => {
    const world = new TestWorld();
    world.row = undefined;
    expect(await world.acquire()).toMatchObject({ kind: "refused", error: { code: "entity_not_found" } });
    expect(await world.stub.status()).toBeUndefined();
  });

  it.each([
    ["is switched off", (world: TestWorld): void => world.write({ active: false }), "service_inactive"],
    [
      "cannot run",
      (world: TestWorld): void => void (world.problem = 'there is no environment "own"'),
      "service_unavailable",
    ],
  ] as const)("that %s is refused at once", async (_what, set, code) => {
    const world = new TestWorld();
    set(world);
    expect(await world.acquire()).toMatchObject({ kind: "refused", error: { code } });
    expect(world.begun).toEqual([]);
  });
});

describe("what idles", () => {
  it("is not stopped while a request is under way, nor while one waits", async () => {
    const world = new TestWorld({}, BRIEF);
    const replica = await warm(world);
    for (let second = 0; second < 20; second++) {
      await world.report({ inFlight: { [replica]: 1 } });
      await world.pass(SECOND);
    }
    expect(await world.phases()).toEqual(["ready"]);
    await world.report();
    await world.pass(4 * SECOND);
    expect(await world.phases()).toEqual(["ready"]);
    await world.pass(4 * SECOND);
    expect(await world.phases()).toEqual([]);
  });

  it("is drained first, and not stopped before the leases are over", async () => {
    const world = new TestWorld({}, BRIEF);
    await warm(world);
    await idle(world, 5 * SECOND);
    expect(await world.phases()).toEqual(["draining"]);
    await world.pass(SECOND);
    expect(world.stopped).toEqual([]);
    await world.pass(SECOND);
    expect(world.stopped).toEqual(world.begun);
  });

  it("waits for requests that go on, and no longer than drain_ms", async () => {
    const world = new TestWorld({ drain_ms: 10 * SECOND }, BRIEF);
    const replica = await warm(world);
    await world.put({ active: false });
    for (let second = 0; second < 9; second++) {
      await world.report({ inFlight: { [replica]: 1 } });
      await world.pass(SECOND);
    }
    expect(world.stopped).toEqual([]);
    await world.report({ inFlight: { [replica]: 1 } });
    await world.pass(2 * SECOND);
    expect(world.stopped).toEqual([replica]);
  });

  it("serves a request that comes in the very moment in which it drains", async () => {
    const world = new TestWorld({}, BRIEF);
    const replica = await warm(world);
    await idle(world, 5 * SECOND);
    expect(await world.phases()).toEqual(["draining"]);
    expect(leased(await world.acquire())).toEqual([replica]);
    expect(await world.phases()).toEqual(["ready"]);
    expect(world.begun).toEqual([replica]);
  });

  it("starts another one when it was told to stop already", async () => {
    const world = new TestWorld({}, BRIEF);
    const first = await warm(world);
    world.stopFailures.push(errorOf("environment_unavailable"));
    await world.pass(5 * SECOND);
    expect(await world.phases()).toEqual(["stopping"]);
    const [second] = leased(await world.acquire()) as string[];
    expect(second).not.toBe(first);
    await world.pass(10 * SECOND);
    expect(world.stopped).toContain(first);
  });

  it("is never lost to a request, whenever that comes", async () => {
    const world = new TestWorld({}, BRIEF);
    await warm(world);
    const isThere = (name: string) => world.running().some(({ replica }) => replica === name);
    for (let round = 0; round < 100; round++) {
      await world.acquire({ waiting: 0, idleMs: 4_500 });
      await world.report({ idleMs: 4_500 });
      // From just before it is idle enough until just after it was stopped.
      for (const ms of [490, round * 22]) {
        clock.now += ms;
        await world.stub.ring();
      }
      const answers = Array.from({ length: 10 }, (_, n) => world.acquire({ holder: `h${n}` }));
      const [replica = "", ...others] = (await Promise.all(answers)).flatMap(leased);
      expect(new Set(others)).toEqual(new Set([replica]));
      expect({ round, isThere: isThere(replica) }).toEqual({ round, isThere: true });
      // What was leased is still there when the lease is as good as over.
      await world.report();
      clock.now += 999;
      await world.stub.ring();
      expect({ round, isThere: isThere(replica) }).toEqual({ round, isThere: true });
      clock.now += 2 * SECOND;
    }
    // Both happened: it was taken back while it drained, and started anew.
    expect(world.stopped.length).toBeGreaterThan(5);
    expect(world.begun.length).toBeLessThan(95);
  });

  it("counts on after its object was put to sleep", async () => {
    const world = new TestWorld();
    await warm(world);
    for (let minute = 0; minute < 4; minute++) {
      await world.pass(MINUTE);
      await world.restart();
    }
    expect(await world.phases()).toEqual(["ready"]);
    await world.pass(MINUTE + 10 * SECOND);
    expect(world.stopped).toEqual(world.begun);
  });

  it("is not known to be idle by an object that has just been born, while a lease may hold", async () => {
    const world = new TestWorld({}, BRIEF);
    const replica = await warm(world);
    await idle(world, 5 * SECOND);
    expect(await world.phases()).toEqual(["draining"]);
    await world.restart();
    await world.status();
    await world.pass(1_500);
    expect(world.stopped).toEqual([]);
    await world.pass(SECOND);
    expect(world.stopped).toEqual([replica]);
  });
});

describe("a start that fails", () => {
  it("is tried again, later each time, and from the third on requests are refused at once", async () => {
    const world = new TestWorld();
    world.ends.push("exit code 1", "exit code 2", "exit code 3");
    const waits = world.acquire();
    await failed(world, 1);
    await world.pass(400);
    expect(await world.status()).toMatchObject({ crashes: { failures: 1, looping: false, reason: "exit code 1" } });
    await world.pass(100);
    expect(await world.status()).toMatchObject({ crashes: { failures: 2 } });
    await world.pass(SECOND);
    expect(await waits).toMatchObject({
      kind: "refused",
      error: { code: "service_crash_looping", after_ms: 2 * SECOND },
    });
    const refused = (await world.acquire()) as AcquireAnswer & { kind: "refused" };
    expect(refused.error.detail).toContain("exit code 3. Its last lines: a last line");
    expect(world.begun).toHaveLength(3);
    await world.pass(2 * SECOND);
    expect(leased(await world.acquire())).toEqual([world.begun[3]]);
    await world.report();
    await world.pass(MINUTE);
    expect(await world.status()).toMatchObject({ crashes: { failures: 0, looping: false } });
  });

  it("again and again is put off by five minutes at the most", async () => {
    const world = new TestWorld({}, "always_on");
    world.ends.push(...Array.from({ length: 30 }, () => "exit code 1"));
    await world.changed();
    await world.pass(60 * MINUTE);
    const { crashes } = await world.status();
    expect(crashes.failures).toBe(world.begun.length);
    expect(world.begun.length).toBeGreaterThan(15);
    expect(world.begun.length).toBeLessThan(25);
  });

  it("is forgotten when the row is edited, or somebody deploys it", async () => {
    const world = new TestWorld();
    world.ends.push("exit code 1", "exit code 1", "exit code 1", "exit code 1");
    const refused = world.acquire();
    await failed(world, 1);
    await world.pass(2 * SECOND);
    expect((await refused).kind).toBe("refused");
    await world.put({ variables: { MENDED: "1" } });
    await world.stub.rest();
    expect(await world.status()).toMatchObject({ crashes: { failures: 1, looping: false } });
    expect(await world.command({ do: "deploy" })).toBeUndefined();
    await world.stub.rest();
    expect(await world.phases()).toEqual(["ready"]);
  });

  it("for want of a place says what to mend, and leaves nothing behind", async () => {
    const world = new TestWorld();
    world.failures.push(...Array.from({ length: 5 }, () => errorOf("environment_unavailable")));
    const waits = world.acquire({ waitMs: 60 * SECOND });
    await failed(world, 1);
    await world.pass(8 * SECOND);
    expect(await waits).toMatchObject({ kind: "refused", error: { code: "service_unavailable" } });
    expect(await world.phases()).toEqual([]);
  });

  it("for want of a place waits for one that is on its way, and is started as soon as it is there", async () => {
    const world = new TestWorld();
    world.failures.push(...Array.from({ length: 4 }, () => errorOf("environment_unavailable")));
    const waits = world.acquire({ waitMs: 60 * SECOND });
    await world.pass(8 * SECOND);
    expect(leased(await waits)).toEqual(world.begun);
    expect(world.begun).toHaveLength(1);
  });

  it("for want of a place is tried again at once for whoever asks later", async () => {
    const world = new TestWorld();
    world.failures.push(...Array.from({ length: 5 }, () => errorOf("environment_unavailable")));
    const waits = world.acquire({ waitMs: 60 * SECOND });
    await failed(world, 1);
    await world.pass(8 * SECOND);
    expect(await waits).toMatchObject({ kind: "refused" });
    const later = await world.acquire({ waitMs: 5 * SECOND });
    expect(leased(later)).toEqual(world.begun);
  });

  it("counts where it was ready and ended soon after, and not where it lived for a minute", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    await world.pass(5 * SECOND);
    await world.become(world.begun[0] as string, { status: "ended", ended: "exit code 1" });
    expect(await world.status()).toMatchObject({ crashes: { failures: 1 } });
    await world.pass(2 * MINUTE);
    await world.become(world.begun[1] as string, { status: "ended", ended: "exit code 1" });
    expect(await world.status()).toMatchObject({ crashes: { failures: 0 }, replicas: [{ phase: "ready" }] });
    expect(world.begun).toHaveLength(3);
  });
});

describe("a replica", () => {
  it("is placed where it is wanted, and is only where the controller knows it", async () => {
    const world = new TestWorld();
    world.holds = true;
    const waits = world.acquire();
    await expect.poll(() => world.begun.length).toBe(1);
    const [replica = ""] = world.begun;
    const { place = "" } = (await world.status()).replicas[0] ?? {};
    expect(await world.stub.placed(replica, { environment: "own", place })).toBe(true);
    expect(await world.stub.placed(replica, { environment: "other", place })).toBe(false);
    expect(await world.stub.whereabouts("own", [replica, "made_up"])).toMatchObject([{ replica, place }]);
    expect(await world.stub.whereabouts("other", [replica])).toEqual([]);
    await world.release();
    await waits;
  });

  it("that is unready is replaced, and serves until the new one does", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const [first = ""] = world.begun;
    world.holds = true;
    await world.become(first, { status: "unready", ended: "it answered 500" });
    await world.pass(SECOND);
    expect(leased(await world.acquire({ waiting: 0 }))).toEqual([first]);
    await world.release();
    expect(leased(await world.acquire({ waiting: 0 }))).toEqual([world.begun[1]]);
    await world.pass(5 * SECOND);
    expect(world.stopped).toEqual([first]);
    expect(await world.phases()).toEqual(["ready"]);
  });

  it("that is only looked at is replaced when so many looks in a row find it unready", async () => {
    const health = { interval_ms: SECOND, failures: 4 };
    const world = new TestWorld({ health, operations: { observe: "my_probe" } }, "always_on");
    await world.changed();
    await world.pass(5 * SECOND);
    const [first = ""] = world.begun;
    const kept = [...world.runners.values()].map((runner) => runner.get(first)).find((each) => each !== undefined);
    for (const [looks, status] of [
      [2, "unready"],
      [2, "ready"],
      [2, "unready"],
    ] as const) {
      Object.assign(kept ?? {}, { status });
      // A look that is still on its way when the clock goes on is the only one in that time.
      for (const from = world.looks; world.looks < from + looks;) await world.pass(SECOND / 2);
    }
    expect(world.begun).toEqual([first]);
    for (let seconds = 0; seconds < 60 && world.stopped.length === 0; seconds++) await world.pass(SECOND);
    expect(world.begun).toHaveLength(2);
    expect(world.stopped).toEqual([first]);
  });

  it("whose runner is lost is started elsewhere; when that comes back with it, it is stopped", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const [first = ""] = world.begun;
    await world.lose("one");
    expect(await world.status()).toMatchObject({
      replicas: [{ place: "two", phase: "ready" }],
      crashes: { failures: 0 },
    });
    await world.tell("one");
    expect(world.stopped).toEqual([first]);
    await world.tell("two");
    expect(await world.phases()).toEqual(["ready"]);
    expect(world.running()).toHaveLength(1);
  });

  it("that its runner has no more is replaced", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    await world.pass(10 * SECOND);
    world.runners.get("one")?.clear();
    await world.tell("one");
    expect(world.begun).toHaveLength(2);
    expect(await world.phases()).toEqual(["ready"]);
  });

  it("that is found broken and that its runner has no more is replaced as soon as the runner says so", async () => {
    const world = new TestWorld({}, "always_on");
    world.saysGone = true;
    await world.changed();
    const [first = ""] = world.begun;
    await world.pass(10 * SECOND);
    world.runners.get("one")?.clear();
    await world.report({ broken: { [first]: "nobody takes connections there" } });
    await world.pass(2 * SECOND);
    expect(world.begun).toHaveLength(2);
    expect(await world.phases()).toEqual(["ready"]);
  });

  it("of a runner that is silent is looked for, and given up only after a while", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    world.runners.get("one")?.clear();
    await world.pass(31 * SECOND);
    expect(world.begun).toHaveLength(1);
    await world.pass(15 * SECOND);
    expect(world.begun).toHaveLength(1);
    await world.pass(15 * SECOND);
    expect(world.begun).toHaveLength(2);
  });

  it("that is found broken on a runner that is not there is given up twenty seconds later", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const [first = ""] = world.begun;
    await world.pass(5 * SECOND);
    world.runners.get("one")?.clear();
    await world.report({ broken: { [first]: "nobody took it" } });
    await world.pass(15 * SECOND);
    expect(world.begun).toHaveLength(1);
    await world.pass(15 * SECOND);
    expect(world.begun).toHaveLength(2);
  });
});

describe("a new revision", () => {
  it.each([1, 3])("of %i takes over one after another, and as many serve all the while", async (replicas) => {
    const world = new TestWorld({ replicas: { min: replicas, max: 5 } }, "always_on");
    await world.changed();
    const old = [...world.begun];
    world.holds = true;
    await world.put({ variables: { VERSION: "2" } });
    for (let round = 0; round < 2 * replicas + 2; round++) {
      const ready = (await world.status()).replicas.filter(({ phase }) => phase === "ready");
      expect(ready.length).toBeGreaterThanOrEqual(replicas);
      expect(world.running().length).toBeLessThanOrEqual(replicas + 1);
      await world.release();
      world.holds = true;
      await world.pass(3 * SECOND);
    }
    await world.release();
    await world.pass(5 * SECOND);
    const status = await world.status();
    expect(new Set(status.replicas.map(({ revision }) => revision))).toEqual(new Set([status.revision]));
    expect(world.stopped.toSorted()).toEqual(old.toSorted());
  });

  it.each([
    ["description", { description: "another" }],
    ["max_waiting", { max_waiting: 5 }],
    ["health.interval_ms", { health: { interval_ms: 1_000 } }],
    ["stop_ms", { stop_ms: 1 }],
  ])("is not made by %s", async (_what, fields) => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const { revision } = await world.status();
    await world.put(fields);
    await world.pass(10 * SECOND);
    expect(await world.status()).toMatchObject({ revision });
    expect(world.begun).toHaveLength(1);
  });

  it("is made by a restart, and each replica replaced", async () => {
    const world = new TestWorld({ replicas: { min: 2 } }, "always_on");
    await world.changed();
    expect(await world.command({ do: "restart" })).toBeUndefined();
    await world.pass(20 * SECOND);
    expect(world.stopped.toSorted()).toEqual(world.begun.slice(0, 2).toSorted());
    expect(await world.phases()).toEqual(["ready", "ready"]);
  });

  it("that comes while the one before is still starting takes its place at once", async () => {
    const world = new TestWorld();
    world.holds = true;
    const waits = world.acquire();
    await world.stub.rest();
    await world.put({ variables: { VERSION: "2" } });
    await world.stub.rest();
    await world.release();
    expect(leased(await waits)).toEqual([world.begun[1]]);
    await world.pass(2 * SECOND);
    expect(world.running().map(({ replica }) => replica)).toEqual([world.begun[1]]);
  });

  it("comes beside the old one, and takes over once it was healthy for ten seconds (blue_green)", async () => {
    const world = new TestWorld({}, "blue_green");
    await world.changed();
    const [blue = ""] = world.begun;
    await world.put({ variables: { VERSION: "2" } });
    await world.pass(SECOND);
    expect(await world.status()).toMatchObject({ state: "proven" });
    expect((await world.phases()).toSorted()).toEqual(["candidate", "ready"]);
    expect(leased(await world.acquire({ waiting: 0 }))).toEqual([blue]);
    await world.pass(30 * SECOND);
    expect(leased(await world.acquire({ waiting: 0 }))).toEqual([world.begun[1]]);
    expect(world.stopped).toEqual([blue]);
    expect(await world.status()).toMatchObject({ state: "blue" });
  });
});

describe("scaling", () => {
  it("goes out with throughput and in again, one at a time, no sooner than the cooldown", async () => {
    const world = new TestWorld({}, "hot_cold_scaled");
    await warm(world);
    await busy(world, 1_000, 25);
    expect(await world.status()).toMatchObject({ state: "hot", wanted: 2 });
    await busy(world, 1_000, 30);
    expect(await world.status()).toMatchObject({ wanted: 3 });
    await busy(world, 1_000, 120);
    expect(await world.status()).toMatchObject({ wanted: 5 });
    expect(world.stopped).toEqual([]);
    await busy(world, 1, 20);
    expect(await world.status()).toMatchObject({ wanted: 4 });
    await busy(world, 1, 300);
    expect(await world.status()).toMatchObject({ wanted: 1 });
    expect(world.running()).toHaveLength(1);
    await world.report();
    await world.pass(6 * MINUTE);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
  });

  it("by hand holds within the bounds, and only where the state leaves it open", async () => {
    const world = new TestWorld({ replicas: { min: 1, max: 3 } }, OPEN);
    await world.changed();
    expect(await world.command({ do: "scale", replicas: 3 })).toBeUndefined();
    await world.stub.rest();
    expect(await world.phases()).toEqual(["ready", "ready", "ready"]);
    expect(await world.command({ do: "scale", replicas: 4 })).toMatchObject({ code: "command_refused" });
    expect(await world.command({ do: "scale", replicas: 1 })).toBeUndefined();
    await world.pass(5 * SECOND);
    expect(await world.phases()).toEqual(["ready"]);
    const fixed = new TestWorld({}, "always_on");
    await fixed.changed();
    expect(await fixed.command({ do: "scale", replicas: 2 })).toMatchObject({ code: "command_refused" });
    const brief = new TestWorld({ replicas: { min: 1, max: 3 } });
    await brief.changed();
    expect(await brief.command({ do: "scale", replicas: 2 })).toMatchObject({
      code: "command_refused",
      detail: expect.stringContaining('"hot_cold" leaves it open in none') as string,
      hint: expect.stringMatching(/^opctl duplicate state-machine hot_cold .*null/) as string,
    });
  });
});

describe("a command", () => {
  it("deploys what nobody has asked for in a long time, and it idles from then on", async () => {
    const world = new TestWorld({}, BRIEF);
    await warm(world);
    await world.pass(MINUTE);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
    expect(await world.command({ do: "deploy" })).toBeUndefined();
    await world.pass(4 * SECOND);
    expect(await world.status()).toMatchObject({ state: "hot", replicas: [{ phase: "ready" }] });
    await world.pass(10 * SECOND);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
    expect(world.stopped).toEqual(world.begun);
  });

  it("deploys what is just going, and it idles from then on", async () => {
    const world = new TestWorld({}, BRIEF);
    const replica = await warm(world);
    await idle(world, 5 * SECOND);
    expect(await world.phases()).toEqual(["draining"]);
    expect(await world.command({ do: "deploy" })).toBeUndefined();
    await world.pass(4 * SECOND);
    expect(await world.status()).toMatchObject({ state: "hot", replicas: [{ replica, phase: "ready" }] });
    await world.pass(20 * SECOND);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
  });

  it("deploys as if a request waited, and undeploys once the leases are over", async () => {
    const world = new TestWorld();
    expect(await world.command({ do: "deploy" })).toBeUndefined();
    await world.stub.rest();
    expect(await world.status()).toMatchObject({ state: "hot", replicas: [{ phase: "ready" }] });
    expect(await world.command({ do: "undeploy" })).toBeUndefined();
    await world.pass(5 * SECOND);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
  });

  it("is refused where the machine would undo it", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    expect(await world.command({ do: "undeploy" })).toMatchObject({
      code: "command_refused",
      hint: `opctl edit service ${world.service} -s active=false`,
    });
    const never = { initial: "off", states: { off: { replicas: 0 } }, transitions: [] };
    const off = new TestWorld({}, never);
    expect(await off.command({ do: "deploy" })).toMatchObject({ code: "command_refused" });
    expect(await off.status()).toMatchObject({ facts: { waiting: 0 }, replicas: [] });
  });
});

describe("a row", () => {
  it("that is switched off stops it, and switched on it begins anew", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    await world.put({ active: false });
    await world.pass(5 * SECOND);
    expect(await world.phases()).toEqual([]);
    await world.put({ active: true });
    expect(await world.phases()).toEqual(["ready"]);
  });

  it("that is deleted takes everything with it, once it has been stopped", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    world.row = undefined;
    await world.changed();
    await world.pass(5 * SECOND);
    expect(world.stopped).toEqual(world.begun);
    for (const table of ["service", "replicas"]) expect(await world.stub.rows(`SELECT * FROM ${table}`)).toEqual([]);
    await world.pass(MINUTE);
    expect(await world.stub.alarmAt()).toBeNull();
  });

  it("whose machine has its state no more goes on where its replicas go on", async () => {
    const world = new TestWorld();
    const replica = await warm(world);
    const renamed = {
      initial: "asleep",
      states: { asleep: { replicas: 0 }, awake: { replicas: 1 } },
      transitions: [
        { name: "wake", from: "asleep", to: "awake", when: { fact: "waiting", op: ">", value: 0 } },
        { name: "sleep", from: "awake", to: "asleep", when: { fact: "idle_seconds", op: ">=", value: 60 } },
      ],
    };
    await world.put({}, renamed);
    expect(await world.status()).toMatchObject({ state: "awake", replicas: [{ replica, phase: "ready" }] });
    expect((await world.events()).some((what) => what.includes('has no state "hot" any more'))).toBe(true);
    await world.pass(65 * SECOND);
    expect(await world.status()).toMatchObject({ state: "asleep", replicas: [] });
  });

  it("that is edited while an operation is asked counts, and not the answer for the one before", async () => {
    const world = new TestWorld({}, asking("b"));
    world.says.set("may", true);
    world.beforeAnswer = async () => {
      world.beforeAnswer = undefined;
      world.write({}, asking("c"));
      await world.stub.changed();
    };
    await world.changed();
    await expect.poll(async () => (await world.status()).state).toBe("c");
    expect(world.begun).toEqual([]);
  });
});

describe("a clock that is put forward", () => {
  it.each(["its alarm", "somebody who asks", "who knows of the clock"])(
    "is nobody's silence: a request that is under way goes on, whatever comes first (%s)",
    async (first) => {
      const world = new TestWorld({}, BRIEF);
      const replica = await warm(world);
      const busy = { inFlight: { [replica]: 1 } };
      await world.report(busy);
      clock.now += HOUR;
      if (first === "its alarm") await world.pass(0);
      else if (first === "somebody who asks") await world.acquire();
      else await world.stub.clockWasSet(clock.now - HOUR);
      await world.stub.rest();
      expect(await world.phases()).toEqual(["ready"]);
      for (let halves = 0; halves < 40; halves++) {
        await world.report(busy);
        await world.pass(SECOND / 2);
      }
      expect(await world.phases()).toEqual(["ready"]);
      await world.report();
      await world.pass(10 * SECOND);
      expect(await world.phases()).toEqual([]);
    },
  );
});

describe("a clock that is put back", () => {
  it("keeps nothing waiting for the time that was", async () => {
    const world = new TestWorld();
    await world.pass(HOUR);
    world.ends.push("exit code 1");
    const waits = world.acquire({ waitMs: 2 * HOUR });
    await expect.poll(async () => (await world.status()).crashes.failures).toBe(1);
    clock.now -= HOUR;
    await world.report({ waiting: 1 });
    await world.stub.rest();
    expect(leased(await waits)).toEqual([world.begun[1]]);
    // Nor a replica that is to go.
    clock.now += HOUR;
    await world.report();
    clock.now -= HOUR;
    expect(await world.command({ do: "undeploy" })).toBeUndefined();
    await world.pass(10 * SECOND);
    expect(await world.phases()).toEqual([]);
  });

  it("has what comes back of a deleted service stopped as soon as ever", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const [kept] = world.running();
    const runner = world.runners.get(kept?.place ?? "");
    const entry = runner?.get(kept?.replica ?? "");
    world.row = undefined;
    await world.changed();
    await world.pass(10 * SECOND);
    expect(await world.stub.status()).toBeUndefined();
    for (const byMs of [0, -HOUR]) {
      clock.now += byMs;
      if (kept === undefined || entry === undefined) throw new TypeError("it must run");
      runner?.set(kept.replica, entry);
      await world.reported(kept.place, [kept]);
      expect(world.running()).toEqual([]);
    }
  });
});

describe("a requirement", () => {
  it("that an operation or an expression answers is asked no oftener than it may change", async () => {
    const world = new TestWorld(
      {},
      {
        initial: "off",
        states: { off: { replicas: 0 }, on: { replicas: 1 } },
        transitions: [
          { name: "on", from: "off", to: "on", when: { all: [{ operation: "may" }, { expression: "replicas = 0" }] } },
        ],
      },
    );
    await world.changed();
    await world.pass(20 * SECOND);
    expect(world.asked).toBeGreaterThan(2);
    expect(world.asked).toBeLessThan(8);
    world.says.set("may", true);
    await world.pass(10 * SECOND);
    expect(await world.status()).toMatchObject({ state: "on", replicas: [{ phase: "ready" }] });
  });
});

describe("a set", () => {
  it("is one that is told how many, and told again when that changes", async () => {
    const world = new TestWorld({}, OPEN);
    world.unit = "set";
    await world.changed();
    expect(await world.command({ do: "scale", replicas: 4 })).toBeUndefined();
    await world.stub.rest();
    expect(await world.status()).toMatchObject({ replicas: [{ count: 4, ready: 4, phase: "ready" }], steps: [] });
    await world.put({ variables: { VERSION: "2" } });
    await world.stub.rest();
    expect(await world.status()).toMatchObject({ replicas: [{ count: 4, phase: "ready" }], steps: [] });
    expect(world.begun).toHaveLength(1);
  });
});

/** Those that requests may go to, and by which revision of its environment requests get there. */
const servedBy = async (world: TestWorld): Promise<[string, number][]> => {
  const answer = await world.acquire();
  await world.report();
  if (answer.kind !== "lease") throw new Error(answer.kind);
  return answer.replicas.map(({ replica, environmentRevision }) => [replica, environmentRevision]);
};
const warmSet = async (): Promise<TestWorld> => {
  const world = new TestWorld({}, OPEN);
  world.unit = "set";
  await world.changed();
  await world.stub.rest();
  return world;
};
/** Noted as each is stopped: by which revision of its environment that is. */
const stops = (world: TestWorld): string[] => {
  const by: string[] = [];
  world.beforeStop = async (replica) => {
    const [known] = await world.stub.whereabouts(world.row?.environment ?? "own", [replica]);
    by.push(`${replica} by ${known?.environmentRevision}`);
  };
  return by;
};

describe("an environment that is edited", () => {
  it("holds at once for what runs, and moves nothing where it leads to the same place", async () => {
    const world = await warmSet();
    const [[replica, revision] = ["", 0]] = await servedBy(world);
    expect(revision).toBe(1);
    await world.edit();
    await world.restart();
    expect(await servedBy(world)).toEqual([[replica, 2]]);
    await world.pass(10 * SECOND);
    expect([world.begun, world.stopped]).toEqual([[replica], []]);
  });

  it("has a set started where it leads, and then stopped where it was started", async () => {
    const world = await warmSet();
    expect(await world.command({ do: "scale", replicas: 3 })).toBeUndefined();
    await world.stub.rest();
    const [[first] = [""]] = await servedBy(world);
    const by = stops(world);
    world.holds = true;
    await world.edit("there");
    expect(await world.status()).toMatchObject({
      replicas: [
        { replica: first, phase: "ready", count: 3 },
        { phase: "starting", count: 3 },
      ],
    });
    expect(await servedBy(world)).toEqual([[first, 1]]);
    await world.release();
    await world.pass(5 * SECOND);
    const second = world.begun[1] ?? "";
    expect([world.begun, world.stopped, by]).toEqual([[first, second], [first], [`${first} by 1`]]);
    expect(await servedBy(world)).toEqual([[second, 2]]);
    expect(await world.status()).toMatchObject({ replicas: [{ phase: "ready", count: 3 }], steps: [] });
    expect(await world.events()).toContainEqual(expect.stringContaining('its environment "own" is elsewhere now'));
  });

  it("is one that a service has left: its set is started in the other, and stopped there", async () => {
    const world = await warmSet();
    const [[first] = [""]] = await servedBy(world);
    await world.put({ environment: "other" });
    await world.pass(5 * SECOND);
    expect(world.stopped).toEqual([first]);
    expect((await world.status()).environments).toEqual({
      [world.begun[1] ?? ""]: { name: "other", revision: 1 },
    });
  });

  it("keeps what serves where a state keeps it, and goes back to it when it is taken back", async () => {
    const world = await warmSet();
    const [[first] = [""]] = await servedBy(world);
    await world.put({}, { ...OPEN, states: { on: { replicas: null, revision: "kept" } } });
    await world.edit("there");
    await world.pass(5 * SECOND);
    expect(await servedBy(world)).toEqual([[first, 1]]);
    world.failures.push(...Array.from({ length: 9 }, () => errorOf("environment_forbids")));
    await world.put({}, OPEN);
    await world.pass(SECOND);
    expect((await world.status()).crashes).toMatchObject({ failures: 2, reason: "environment_forbids: it failed" });
    expect(await servedBy(world)).toEqual([[first, 1]]);
    await world.edit("here");
    await world.pass(10 * SECOND);
    expect(await servedBy(world)).toEqual([[first, world.environmentRevision]]);
    expect(await world.phases()).toEqual(["ready"]);
  });

  it("has what it ran stopped where that was, though the service is deleted right after", async () => {
    const world = await warmSet();
    const [[first] = [""]] = await servedBy(world);
    const by = stops(world);
    world.holds = true;
    await world.edit("there");
    const second = world.begun[1] ?? "";
    world.row = undefined;
    await world.changed();
    await world.pass(5 * SECOND);
    expect(new Set(by)).toEqual(new Set([`${first} by 1`, `${second} by 2`]));
    expect([world.running(), await world.stub.status()]).toEqual([[], undefined]);
  });

  it("is moved once more though a place before does not answer, which is given up after a day", async () => {
    const world = await warmSet();
    await servedBy(world);
    world.stopFailures.push(...Array.from({ length: 100 }, () => errorOf("environment_unavailable")));
    await world.edit("nowhere");
    await world.pass(5 * SECOND);
    await world.edit("there");
    await world.pass(5 * SECOND);
    expect((await world.phases()).toSorted()).toEqual(["ready", "stopping", "stopping"]);
    expect(await servedBy(world)).toEqual([[world.begun[2], 3]]);
    clock.now += 23 * HOUR;
    await world.pass(2 * MINUTE);
    expect(await world.phases()).toHaveLength(3);
    clock.now += HOUR;
    await world.pass(2 * MINUTE);
    expect(await world.phases()).toEqual(["ready"]);
    expect(await world.events()).toContainEqual(expect.stringContaining("no row leads there any more"));
  });

  it("is not given up for what it leads to itself", async () => {
    const world = await warmSet();
    await servedBy(world);
    world.stopFailures.push(...Array.from({ length: 100 }, () => errorOf("environment_unavailable")));
    await world.put({ active: false });
    await world.pass(5 * SECOND);
    clock.now += 30 * HOUR;
    await world.pass(2 * MINUTE);
    expect(await world.phases()).toEqual(["stopping"]);
    world.stopFailures.length = 0;
    await world.pass(2 * MINUTE);
    expect(world.running()).toEqual([]);
  });

  it("that keeps single ones now has what is left of a set's start stopped where it was begun", async () => {
    const world = new TestWorld({}, OPEN);
    world.unit = "set";
    world.holds = true;
    await world.changed();
    const [first = ""] = world.begun;
    world.unit = "replica";
    await world.edit("runners");
    await world.release();
    await world.pass(10 * SECOND);
    expect(world.stopped).toEqual([first]);
    expect(await world.phases()).toEqual(["ready"]);
  });
});

/** Warm, rolled, scaled down to nothing, and warm once more. */
async function scenario(set: (world: TestWorld) => void): Promise<TestWorld> {
  const world = new TestWorld({}, BRIEF);
  set(world);
  await world.acquire();
  await world.report();
  await world.put({ variables: { VERSION: "2" } });
  await world.pass(12 * SECOND);
  await world.acquire();
  await world.report();
  await world.pass(SECOND);
  return world;
}

/** A set, warm, whose environment comes to lead elsewhere and is then edited again. */
async function move(set: (world: TestWorld) => void): Promise<TestWorld> {
  const world = new TestWorld({}, BRIEF);
  world.unit = "set";
  set(world);
  await world.acquire();
  await world.report();
  await world.edit("there");
  await world.pass(3 * SECOND);
  await world.edit();
  await world.acquire();
  await world.report();
  await world.pass(SECOND);
  return world;
}

describe("killed", () => {
  it.each([
    ["dieBefore", "a roll", scenario],
    ["dieAfter", "a roll", scenario],
    ["dieBefore", "a move", move],
    ["dieAfter", "a move", move],
  ] as const)(
    "around any write it starts nothing twice and forgets nothing (%s, %s)",
    async (where, _what, live) => {
      const first = firstKill(where);
      for (let at = first, writes = first; at <= writes; at += EVERY) {
        const world = await live((each) => void (each[where] = at));
        writes = Math.max(writes, Math.min(world.writes, 60));
        const status = await world.status();
        const running = world.running().map(({ replica }) => replica);
        expect({ at, state: status.state, running }).toEqual({
          at,
          state: "hot",
          running: status.replicas.map(({ replica }) => replica),
        });
        expect({ at, phases: status.replicas.map(({ phase }) => phase) }).toEqual({ at, phases: ["ready"] });
        expect({ at, begun: new Set(world.begun).size }).toEqual({ at, begun: world.begun.length });
      }
    },
    240_000,
  );

  it("with a start under way it is asked for again, and is the same one", async () => {
    const world = new TestWorld({}, "always_on");
    world.holds = true;
    await world.changed();
    await world.restart();
    await world.status();
    await world.release();
    await world.pass(SECOND);
    expect(await world.phases()).toEqual(["ready"]);
    expect(world.begun).toHaveLength(1);
  });
});

describe("who watches", () => {
  type Told = { seq: number; what: string };
  const hear = async (world: TestWorld, after: number): Promise<Told[]> =>
    JSON.parse(await world.stub.watch(after, 60 * SECOND)) as Told[];

  it("hears what happens as it happens, from behind what it knows, and moves nothing", async () => {
    const world = new TestWorld({}, BRIEF);
    await world.status();
    const { alarmAt } = world;
    const watching = hear(world, 0);
    await world.stub.rest();
    expect(await world.status()).toMatchObject({ state: "cold", waiting: 0, replicas: [], events: [] });
    expect(world.alarmAt).toBe(alarmAt);
    await warm(world);
    const first = await watching;
    expect(first[0]).toMatchObject({ seq: 1, what: expect.stringContaining("warm_up: cold → hot") });
    const { events } = await world.status();
    const last = first.at(-1)?.seq ?? 0;
    expect((await hear(world, last)).map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq).slice(last));
    await world.pass(10 * SECOND);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
  });

  it("hears the last of a service that is deleted, and that there is no more", async () => {
    const world = new TestWorld({}, BRIEF);
    await world.status();
    const watching = hear(world, 0);
    world.row = undefined;
    await world.stub.changed();
    const [told] = await watching;
    expect(told?.what).toBe("its row was deleted: its replicas are stopped");
    expect(await hear(world, told?.seq ?? 0)).toEqual([]);
  });

  it("is answered with nothing when its time is over", async () => {
    const world = new TestWorld({}, BRIEF);
    await world.status();
    expect(JSON.parse(await world.stub.watch(0, 0))).toEqual([]);
    // Also where the clock is put back meanwhile.
    const watching = world.stub.watch(0, 50);
    clock.now -= HOUR;
    expect(JSON.parse(await watching)).toEqual([]);
  });
});
