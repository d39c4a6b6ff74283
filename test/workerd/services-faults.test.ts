/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** What goes wrong around the object of a service: replicas that flap and die, answers that are lost, reports that are late, edits in between. */
import { describe, expect, it, vi } from "vitest";
import type { AcquireAnswer } from "../../src/services/messages.ts";
import { SECOND, TestWorld } from "./services-world.ts";

vi.spyOn(console, "error").mockImplementation(() => undefined);

const MINUTE = 60 * SECOND;

const idling = (seconds: number) => ({
  initial: "cold",
  states: { cold: { replicas: 0 }, hot: { replicas: 1 } },
  transitions: [
    { name: "warm_up", from: "cold", to: "hot", when: { fact: "waiting", op: ">", value: 0 } },
    { name: "cool_down", from: "hot", to: "cold", when: { fact: "idle_seconds", op: ">=", value: seconds } },
  ],
});
const BRIEF = idling(5);
const THREE = { initial: "on", states: { on: { replicas: 3 } }, transitions: [] };
const OPEN = { initial: "on", states: { on: { replicas: null } }, transitions: [] };

/** No state of it has a name of another. */
const other = (count: number) => ({
  initial: "quiet",
  states: { quiet: { replicas: 0 }, loud: { replicas: count } },
  transitions: [
    { name: "wake", from: "quiet", to: "loud", when: { fact: "waiting", op: ">", value: 0 } },
    { name: "rest", from: "loud", to: "quiet", when: { fact: "idle_seconds", op: ">=", value: 5 } },
  ],
});

const leased = (answer: AcquireAnswer): string[] =>
  answer.kind === "lease" ? answer.replicas.map(({ replica }) => replica) : [answer.kind];

/** What a request that came now would be sent to; each of it runs. */
async function served(world: TestWorld): Promise<string[]> {
  const replicas = leased(await world.acquire({ waiting: 0, idleMs: 1 }));
  const running = world.running().map(({ replica }) => replica);
  expect(running).toEqual(expect.arrayContaining(replicas));
  return replicas;
}

/** A request that waits, or is answered already: on a busy machine what comes after could be there before it. */
async function asked(world: TestWorld, more: Parameters<TestWorld["acquire"]>[0] = {}) {
  const over = new AbortController();
  const answer = world.acquire(more).finally(() => over.abort());
  while (!over.signal.aborted && (await world.status()).waiting === 0) await scheduler.wait(1);
  await world.stub.rest();
  return { answer };
}

const running = (world: TestWorld): string[] => world.running().map(({ replica }) => replica);

/** Nothing was started twice, and what runs is what the object knows. */
async function isWhole(world: TestWorld): Promise<void> {
  expect(new Set(world.begun).size).toBe(world.begun.length);
  const known = (await world.status()).replicas.map(({ replica }) => replica);
  expect(running(world).toSorted()).toEqual(known.toSorted());
}

describe("health that flaps", () => {
  it("is no reason to serve nobody, nor for more than one replica beside it", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    for (let round = 0; round < 15; round++) {
      const [first = ""] = running(world);
      await world.become(first, { status: "unready", ended: "it answered 500" });
      expect(await served(world)).toHaveLength(1);
      await world.become(first, { status: "ready", ended: null });
      expect(await served(world)).toHaveLength(1);
      await world.pass(SECOND);
    }
    expect(world.most).toBeLessThanOrEqual(2);
    await isWhole(world);
  });

  it("of every replica soon after its start puts the next start off, longer each time", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    for (let second = 0; second < 300; second += 2) {
      for (const { replica, status } of world.running()) {
        if (status === "ready") await world.become(replica, { status: "unready", ended: "it answered 500" });
      }
      expect(await served(world)).toHaveLength(1);
      await world.pass(2 * SECOND);
    }
    expect(world.begun.length).toBeGreaterThan(5);
    expect(world.begun.length).toBeLessThan(12);
  }, 120_000);

  it("and comes back before another is there is left as it is", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const [first = ""] = world.begun;
    await world.pass(2 * MINUTE);
    world.holds = true;
    await world.become(first, { status: "unready", ended: "it answered 500" });
    await world.become(first, { status: "ready", ended: null });
    await world.release();
    await world.pass(10 * SECOND);
    expect(await world.phases()).toEqual(["ready"]);
    await isWhole(world);
  });
});

describe("a revision that cannot start", () => {
  it.each([1, 2])("is put off longer each time, while %i of the one before serve", async (replicas) => {
    const world = new TestWorld({ replicas: { min: replicas } }, "always_on");
    await world.changed();
    const old = [...world.begun];
    await world.pass(10 * MINUTE);
    world.ends.push(...Array.from({ length: 50 }, () => "exit code 1"));
    await world.put({ variables: { VERSION: "2" } });
    await world.pass(5 * MINUTE);
    expect(await served(world)).toHaveLength(replicas);
    const tries = world.begun.length - old.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(15);
    expect(await world.status()).toMatchObject({ crashes: { failures: tries, looping: true } });
    world.ends.length = 0;
    await world.put({ variables: { VERSION: "3" } });
    await world.pass(MINUTE + 30 * SECOND);
    const { revision, replicas: now, crashes } = await world.status();
    expect(now.map((each) => each.revision)).toEqual(old.map(() => revision));
    expect(crashes.failures).toBe(0);
    await isWhole(world);
  });
});

async function longCold(): Promise<TestWorld> {
  const world = new TestWorld({}, idling(60));
  await world.changed();
  await world.pass(10 * MINUTE);
  world.ends.push(...Array.from({ length: 50 }, () => "exit code 1"));
  return world;
}

describe("a service that cannot start, after a long time cold", () => {
  it("idles from when the one that deployed it was told so, and is tried until then", async () => {
    const world = await longCold();
    await world.command({ do: "deploy" });
    await world.pass(45 * SECOND);
    const { state, crashes } = await world.status();
    expect([state, crashes.looping]).toEqual(["hot", true]);
    await world.pass(MINUTE);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
  });

  it("idles from the last request on, though it was refused", async () => {
    const world = await longCold();
    const waits = world.acquire();
    await world.pass(30 * SECOND);
    expect(await waits).toMatchObject({ kind: "refused", error: { code: "service_crash_looping" } });
    expect((await world.status()).state).toBe("hot");
    expect(await world.acquire()).toMatchObject({ kind: "refused" });
    await world.pass(45 * SECOND);
    expect((await world.status()).state).toBe("hot");
    await world.pass(MINUTE);
    expect((await world.status()).state).toBe("cold");
  });
});

describe("a replica that dies", () => {
  it("exactly while it is being stopped is gone, and that is no failure", async () => {
    const world = new TestWorld({}, BRIEF);
    const [first = ""] = leased(await world.acquire());
    await world.report();
    world.beforeStop = async (replica) => {
      world.beforeStop = undefined;
      const [kept] = world.running();
      await world.stub.reported(
        JSON.stringify({
          environment: "own",
          place: "one",
          replicas: [{ ...kept, replica, status: "ended", ended: "signal SIGKILL" }],
          lost: null,
        }),
      );
    };
    await world.pass(10 * SECOND);
    expect(world.beforeStop).toBeUndefined();
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [], crashes: { failures: 0 } });
    expect((await world.events()).filter((what) => what === `${first}: it is gone`)).toHaveLength(1);
    const [second = ""] = leased(await world.acquire());
    expect(running(world)).toEqual([second]);
    expect(second).not.toBe(first);
  });

  it("while it drains is no failure, and who comes then gets another", async () => {
    const world = new TestWorld({}, BRIEF);
    const [first = ""] = leased(await world.acquire());
    await world.report({ inFlight: { [first]: 1 } });
    await world.command({ do: "undeploy" });
    expect(await world.phases()).toEqual(["draining"]);
    await world.become(first, { status: "ended", ended: "exit code 1" });
    expect(await world.status()).toMatchObject({ replicas: [], crashes: { failures: 0 } });
    const [second = ""] = leased(await world.acquire());
    expect(running(world)).toEqual([second]);
  });

  it("between its becoming ready and the first request is replaced, and the request waits for the next", async () => {
    const world = new TestWorld();
    world.holds = true;
    const waits = await asked(world);
    const [first = ""] = world.begun;
    for (const runner of world.runners.values()) {
      for (const kept of runner.values()) runner.set(first, { ...kept, status: "ended", ended: "exit code 1" });
    }
    world.holds = false;
    await world.become(first, {});
    await world.pass(SECOND);
    const [second = ""] = leased(await waits.answer);
    // It was leased in the moment in which it was ready, or the second was.
    if (second === first) expect(await served(world)).toEqual([world.begun[1]]);
    else expect(second).toBe(world.begun[1]);
    expect(world.begun).toHaveLength(2);
  });

  it("with the two beside it, all at once, is made up for", async () => {
    const world = new TestWorld({}, THREE);
    await world.changed();
    for (const place of world.runners.keys()) {
      const runner = world.runners.get(place)!;
      for (const [name, kept] of runner) runner.set(name, { ...kept, status: "ended", ended: "signal SIGKILL" });
      await world.tell(place);
    }
    await world.pass(10 * SECOND);
    expect(await world.phases()).toEqual(["ready", "ready", "ready"]);
    expect(world.begun).toHaveLength(6);
    await isWhole(world);
  });
});

describe("an answer that is lost", () => {
  it.each([1, 2, 5])("of a start, %i times, starts nothing again", async (times) => {
    const world = new TestWorld();
    world.unanswered.push(...Array.from({ length: times }, () => "start" as const));
    const waits = await asked(world);
    await world.pass(times * SECOND);
    expect(leased(await waits.answer)).toEqual(world.begun);
    await world.report();
    await world.pass(10 * SECOND);
    expect(world.begun).toHaveLength(1);
    expect(await world.status()).toMatchObject({ crashes: { failures: 0 }, steps: [] });
  });

  it("of a start is made up for by what the runner tells", async () => {
    const world = new TestWorld();
    world.unanswered.push("start");
    const waits = await asked(world);
    await world.tell("one");
    expect(leased(await waits.answer)).toEqual(world.begun);
    expect(world.begun).toHaveLength(1);
  });

  it.each([1, 2, 5])("of a stop, %i times, leaves nothing behind", async (times) => {
    const world = new TestWorld({}, BRIEF);
    await world.acquire();
    await world.report();
    world.unanswered.push(...Array.from({ length: times }, () => "stop" as const));
    await world.pass(5 * SECOND);
    expect(world.stopped).toEqual(world.begun);
    const [second = ""] = leased(await world.acquire());
    expect(running(world)).toEqual([second]);
    await world.report();
    await world.pass((times + 10) * SECOND);
    expect(await world.status()).toMatchObject({ replicas: [], steps: [] });
    expect(world.stopped).toEqual(world.begun);
    expect(await world.stub.alarmAt()).toBeNull();
  });

  it("of a look leaves what is there as it is", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    world.unanswered.push("observe", "observe", "observe");
    await world.pass(5 * MINUTE);
    expect(await world.phases()).toEqual(["ready"]);
    expect(world.begun).toHaveLength(1);
    expect(world.unanswered).toEqual([]);
  });
});

describe("what a runner reports", () => {
  it("again and again changes nothing", async () => {
    const world = new TestWorld({}, THREE);
    await world.changed();
    const before = await world.events();
    for (let times = 0; times < 5; times++) for (const place of ["one", "two"]) await world.tell(place);
    expect(await world.events()).toEqual(before);
    expect(await world.phases()).toEqual(["ready", "ready", "ready"]);
  });

  it("from before a stop brings nothing back, whenever it comes", async () => {
    const world = new TestWorld({}, BRIEF);
    const [first = ""] = leased(await world.acquire());
    await world.report();
    const before = world.running();
    world.beforeStop = async () => {
      await world.stub.reported(JSON.stringify({ environment: "own", place: "one", replicas: before, lost: null }));
    };
    await world.pass(10 * SECOND);
    expect(await world.phases()).toEqual([]);
    await world.reported("one", before);
    await world.reported("one", before);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
    expect(world.begun).toEqual([first]);
    // Nor does it in place of the one that came after.
    world.beforeStop = undefined;
    const [second = ""] = leased(await world.acquire());
    await world.reported("one", [...before, ...world.running().filter(({ place }) => place === "one")]);
    expect(await served(world)).toEqual([second]);
    expect(running(world)).toEqual([second]);
    await isWhole(world);
  });

  it("from before a start takes nothing away", async () => {
    const world = new TestWorld({}, OPEN);
    await world.changed();
    const before = world.running();
    await world.command({ do: "scale", replicas: 3 });
    await world.stub.rest();
    await world.reported("one", before);
    await world.reported("two", []);
    expect(await world.phases()).toEqual(["ready", "ready", "ready"]);
    expect(world.begun).toHaveLength(3);
  });

  it("of an end twice counts once", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const [kept] = world.running();
    const ended = [{ ...kept!, status: "ended" as const, ended: "exit code 1" }];
    world.runners.get("one")?.clear();
    await world.reported("one", ended);
    await world.reported("one", ended);
    expect(await world.status()).toMatchObject({ crashes: { failures: 1 } });
    await world.pass(SECOND);
    await world.reported("one", [...ended, ...world.running().filter(({ place }) => place === "one")]);
    expect(await world.status()).toMatchObject({ crashes: { failures: 1 }, replicas: [{ phase: "ready" }] });
    expect(world.begun).toHaveLength(2);
  });

  it("in the other order than it was comes to the truth with the next", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const [kept] = world.running();
    const [first = ""] = world.begun;
    await world.pass(2 * MINUTE);
    await world.reported("one", [{ ...kept!, status: "unready", ended: "it answered 500" }]);
    await world.reported("one", [{ ...kept!, status: "starting" }]);
    await world.pass(10 * SECOND);
    for (const place of ["one", "two"]) await world.tell(place);
    await world.pass(10 * SECOND);
    expect(await world.phases()).toEqual(["ready"]);
    expect(running(world)).toHaveLength(1);
    expect(world.begun[0]).toBe(first);
    await isWhole(world);
  });

  it("when it was lost with all three and comes back with them: the new ones stay, the old ones are stopped", async () => {
    const world = new TestWorld({}, THREE);
    const two = world.runners.get("two")!;
    world.runners.delete("two");
    await world.changed();
    const old = [...world.begun];
    const one = world.runners.get("one")!;
    expect(one.size).toBe(3);
    // It is away, with all that it has.
    world.runners.delete("one");
    world.runners.set("two", two);
    await world.lose("one");
    await world.restart();
    await world.pass(5 * SECOND);
    expect((await served(world)).toSorted()).toEqual([...two.keys()].toSorted());
    expect(two.size).toBe(3);
    world.runners.set("one", one);
    await world.tell("one");
    await world.pass(15 * SECOND);
    await world.tell("one");
    await world.pass(5 * SECOND);
    expect(world.stopped.toSorted()).toEqual(old.toSorted());
    expect(one.size).toBe(0);
    expect(await world.phases()).toEqual(["ready", "ready", "ready"]);
    await isWhole(world);
  });

  it("of a loss that is told late, when it has long been back, costs no request", async () => {
    const world = new TestWorld({}, THREE);
    await world.changed();
    await world.pass(10 * SECOND);
    await world.lose("one");
    expect((await served(world)).length).toBeGreaterThan(0);
    await world.tell("one");
    await world.tell("two");
    await world.pass(15 * SECOND);
    await world.tell("one");
    expect(await world.phases()).toEqual(["ready", "ready", "ready"]);
    await isWhole(world);
  });
});

describe("an edit in the middle", () => {
  it("of the guard, while it drains, does not make it hot again, and a request does", async () => {
    const world = new TestWorld({}, BRIEF);
    const [first = ""] = leased(await world.acquire());
    await world.report({ inFlight: { [first]: 1 } });
    await world.pass(SECOND);
    await world.command({ do: "undeploy" });
    expect(await world.phases()).toEqual(["draining"]);
    await world.put({}, idling(600));
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [{ phase: "draining" }] });
    expect(leased(await world.acquire())).toEqual([first]);
    await world.report();
    await world.pass(5 * MINUTE);
    expect(await world.phases()).toEqual(["ready"]);
    expect(world.begun).toEqual([first]);
  });

  it("for a machine that has nothing in common: who waits for a start is answered", async () => {
    const world = new TestWorld();
    world.holds = true;
    const waits = await asked(world);
    await world.put({}, other(1));
    await world.release();
    expect(leased(await waits.answer)).toEqual(world.begun);
    expect(await world.status()).toMatchObject({ state: "loud" });
    expect(world.begun).toHaveLength(1);
    await world.report();
    await world.pass(15 * SECOND);
    expect(world.stopped).toEqual(world.begun);
  });

  it("for a machine that has nothing in common, while it drains: it is stopped, or taken back by who comes", async () => {
    for (const comes of [false, true]) {
      const world = new TestWorld({}, BRIEF);
      const [first = ""] = leased(await world.acquire());
      await world.report({ inFlight: { [first]: 1 } });
      await world.command({ do: "undeploy" });
      await world.put({}, other(2));
      expect(await world.status()).toMatchObject({ state: "quiet", replicas: [{ phase: "draining" }] });
      if (comes) {
        expect(leased(await world.acquire())).toEqual([first]);
        await world.stub.rest();
        expect(await world.status()).toMatchObject({ state: "loud" });
        expect(world.begun).toHaveLength(2);
      }
      await world.report();
      await world.pass(15 * SECOND);
      expect(await world.status()).toMatchObject({ state: "quiet", replicas: [] });
      expect(world.stopped.toSorted()).toEqual(world.begun.toSorted());
    }
  });

  it("that removes the state in which it scales keeps what serves", async () => {
    const world = new TestWorld({}, OPEN);
    await world.changed();
    await world.command({ do: "scale", replicas: 3 });
    await world.stub.rest();
    await world.put({}, THREE);
    await world.put({}, { initial: "up", states: { up: { replicas: null } }, transitions: [] });
    await world.pass(10 * SECOND);
    expect(await world.status()).toMatchObject({ state: "up", wanted: 3 });
    expect(world.begun).toHaveLength(3);
    expect(world.stopped).toEqual([]);
  });

  it.each([
    [{ min: 1, max: 2 }, 2],
    [{ min: 1, max: 1 }, 1],
    [{ min: 5, max: 5 }, 5],
  ])("of the bounds, to %j while four run, never has fewer serve than before or after", async (replicas, count) => {
    const world = new TestWorld({ replicas: { min: 1, max: 4 } }, OPEN);
    await world.changed();
    await world.command({ do: "scale", replicas: 4 });
    await world.stub.rest();
    expect(await world.phases()).toHaveLength(4);
    const [busy = ""] = world.begun;
    await world.put({ replicas });
    for (let second = 0; second < 6; second++) {
      expect((await served(world)).length).toBeGreaterThanOrEqual(Math.min(4, count));
      await world.report({ inFlight: { [busy]: 1 } });
      await world.pass(SECOND);
    }
    await world.report();
    await world.pass(40 * SECOND);
    expect(await world.status()).toMatchObject({ wanted: count });
    expect(running(world)).toHaveLength(count);
    expect(world.begun).toHaveLength(Math.max(4, count));
    await isWhole(world);
  });

  it("that switches it off while it starts: who waits is told, and nothing is left", async () => {
    const world = new TestWorld();
    world.holds = true;
    const waits = await asked(world);
    await world.put({ active: false });
    expect(await waits.answer).toMatchObject({ kind: "refused", error: { code: "service_inactive" } });
    await world.release();
    await world.pass(10 * SECOND);
    expect(running(world)).toEqual([]);
    expect(await world.status()).toMatchObject({ replicas: [], crashes: { failures: 0 } });
    await world.put({ active: true });
    const [second = ""] = leased(await world.acquire());
    expect(running(world)).toEqual([second]);
    expect(world.begun).toHaveLength(2);
  });

  it("that switches it off and on again while it starts serves who comes", async () => {
    const world = new TestWorld();
    world.holds = true;
    const waits = await asked(world);
    await world.put({ active: false });
    await world.put({ active: true });
    const again = await asked(world, { holder: "other" });
    await world.release();
    await waits.answer;
    const [second = ""] = leased(await again.answer);
    await world.pass(5 * SECOND);
    expect(running(world)).toEqual([second]);
    await isWhole(world);
  });

  it("that moves it to another environment while it serves stops it where it was", async () => {
    const world = new TestWorld({}, "always_on");
    await world.changed();
    const [first = ""] = world.begun;
    await world.put({ environment: "elsewhere" });
    await world.pass(10 * SECOND);
    expect(world.stopped).toEqual([first]);
    expect(await served(world)).toEqual([world.begun[1]]);
  });
});
