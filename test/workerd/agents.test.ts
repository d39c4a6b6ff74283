/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** The object of an agent: it gets there through failures, contradictions, edits and its own death. */
import { describe, expect, it, vi } from "vitest";
import { clock, failure, SECOND, START, SUCCESS, TestWorld } from "./agents-world.ts";

vi.spyOn(console, "error").mockImplementation(() => undefined);

const PLUS_ONE = {
  name: "plus_one",
  path: "/counters/:name",
  when: "value < target",
  effect: "value + 1",
  operation: "plus_one",
  input: '{"path": path, "value": value}',
};

function counting(initial: Record<string, number>, fields: object = {}): TestWorld {
  const world = new TestWorld();
  world.job(PLUS_ONE);
  world.write({ initial: { counters: initial }, ...fields });
  return world;
}

const state = async (world: TestWorld) =>
  ((await world.status()).state as { counters: Record<string, number> }).counters;
const phase = async (world: TestWorld) => (await world.status()).phase;
const done = (world: TestWorld) => Object.fromEntries(world.outside);

describe("an agent", () => {
  it("plans, carries out the plan as itself, and is there", async () => {
    const world = counting({ a: 0, b: 0 });
    await world.seek({ counters: { a: 2, b: 1 } });
    await world.pass(SECOND);
    expect(await world.status()).toMatchObject({ phase: "reached", plan: 1, state: { counters: { a: 2, b: 1 } } });
    expect(done(world)).toEqual({ "/counters/a": 2, "/counters/b": 1 });
    expect(world.executions[0]?.call).toMatchObject({
      caller: { type: "agent", id: world.agent },
      principal: { id: `agent:${world.agent}`, scopes: ["ops:invoke"] },
      mode: "async",
    });
  });

  it("sleeps while it is there", async () => {
    const world = counting({ a: 0 });
    await world.seek({ counters: { a: 1 } });
    await world.pass(1);
    const plans = world.plans;
    await world.pass(1_000 * SECOND);
    expect(await phase(world)).toBe("reached");
    expect(world.plans).toBe(plans);
  });

  it("works on a hundred counters at the same time", async () => {
    const names = Array.from({ length: 100 }, (_, n) => `c${n}`);
    const world = counting(Object.fromEntries(names.map((name) => [name, 0])));
    world.holds = true;
    await world.seek({ counters: Object.fromEntries(names.map((name) => [name, 1])) });
    await world.stub.rest();
    expect(world.executions).toHaveLength(100);
    for (const kept of world.executions) {
      kept.status = "succeeded";
      kept.outcome = SUCCESS;
    }
    await world.pass(SECOND);
    expect(await phase(world)).toBe("reached");
    expect(Object.values(await state(world)).every((value) => value === 1)).toBe(true);
    expect([...world.outside.values()].every((times) => times === 1)).toBe(true);
  });

  it("keeps the effects of steps beside each other below one path", async () => {
    const world = new TestWorld();
    world.job({
      name: "set_x",
      path: "/",
      change: "any",
      when: "value.x != true",
      effect: '$merge([value, {"x": true}])',
      operation: "o",
    });
    world.job({ name: "set_y", path: "/y", change: "any", operation: "o" });
    world.write({ initial: { x: false, y: 0 } });
    world.holds = true;
    await world.seek({ x: true, y: 1 });
    await world.stub.rest();
    for (let place = 0; place < 2; place++) {
      if (world.executions[place] !== undefined) await world.end(place);
    }
    await world.pass(SECOND);
    expect(await world.status()).toMatchObject({ phase: "reached", state: { x: true, y: 1 } });
  });
});

describe("a step that fails", () => {
  it("is planned again after a while, and works then", async () => {
    const world = counting({ a: 0 });
    world.failing.set("plus_one", 2);
    await world.seek({ counters: { a: 2 } });
    await world.pass(0);
    expect(await world.status()).toMatchObject({ phase: "waiting", failures: 1, next: START + SECOND });
    await world.pass(SECOND);
    expect(await world.status()).toMatchObject({ phase: "waiting", failures: 2, next: START + 3 * SECOND });
    await world.pass(2 * SECOND);
    expect(await world.status()).toMatchObject({ phase: "reached", failures: 0, state: { counters: { a: 2 } } });
    expect(done(world)).toEqual({ "/counters/a": 2 });
  });

  it("again and again is given up, until there is another target", async () => {
    const world = counting({ a: 0 }, { retry: { max_failures: 3 } });
    world.failing.set("plus_one", 3);
    await world.seek({ counters: { a: 1 } });
    await world.pass(100 * SECOND);
    expect(await world.status()).toMatchObject({ phase: "failed" });
    expect((await world.status()).reason).toContain("gave up after 3 failures");
    expect(world.executions).toHaveLength(3);
    await world.seek({ counters: { a: 1 } });
    await world.pass(SECOND);
    expect(await phase(world)).toBe("reached");
  });

  it("lets those beside it end first", async () => {
    const world = counting({ a: 0, b: 0 });
    world.holds = true;
    await world.seek({ counters: { a: 1, b: 1 } });
    await world.stub.rest();
    await world.end(0, failure("handler_failed"));
    await world.pass(10 * SECOND);
    expect(await phase(world)).toBe("running");
    world.holds = false;
    await world.end(1);
    await world.pass(10 * SECOND);
    expect(await phase(world)).toBe("reached");
    // The one that failed did something, and was done once more.
    expect(done(world)).toEqual({ "/counters/a": 2, "/counters/b": 1 });
  });

  it("when it is given more than can be kept says so", async () => {
    const world = new TestWorld();
    world.job({ name: "set", path: "/a", reads: ["/", "/big"], operation: "o" });
    world.write({ initial: { a: 0, big: "x".repeat(800_000) } });
    await world.seek({ a: 1 });
    await world.pass(0);
    const { phase: where, reason, failures } = await world.status();
    expect([where, failures, reason]).toEqual(["waiting", 1, expect.stringContaining("value, target, reads")]);
    expect(world.executions).toEqual([]);
  });

  it("is told of by the first of a plan whose sentences are long", async () => {
    const world = new TestWorld();
    world.job({ name: "set", path: "/:n", change: "any", sentence: "{n}".repeat(160) });
    world.write();
    const names = Array.from({ length: 20 }, (_, at) => `${at}`.padEnd(1_000, "n"));
    await world.seek(Object.fromEntries(names.map((name) => [name, 1])));
    await world.pass(0);
    expect(await phase(world)).toBe("reached");
    const [told] = await world.events("plan");
    expect(told?.["steps"]).toHaveLength(3);
  });

  it("is no failure where nothing could take it: it is asked again", async () => {
    const world = counting({ a: 0 }, { retry: { max_failures: 1 } });
    world.refusal = "state_unavailable";
    await world.seek({ counters: { a: 1 } });
    await world.pass(5 * SECOND);
    expect(await world.status()).toMatchObject({ phase: "running", failures: 0 });
    world.refusal = undefined;
    await world.pass(2 * SECOND);
    expect(await phase(world)).toBe("reached");
    expect(done(world)).toEqual({ "/counters/a": 1 });
  });
});

describe("a clock that jumps", () => {
  const HOUR = 3_600 * SECOND;

  it.each([HOUR, -HOUR])("by %d ms neither fails a step that is under way nor starts it again", async (byMs) => {
    const world = counting({ a: 0 });
    world.holds = true;
    await world.seek({ counters: { a: 1 } });
    await world.stub.rest();
    clock.now += byMs;
    await world.stub.clockWasSet(clock.now - byMs);
    await world.pass(100 * SECOND);
    expect(await world.status()).toMatchObject({ phase: "running", failures: 0, plan: 1 });
    world.holds = false;
    await world.end(0);
    await world.pass(SECOND);
    expect(await phase(world)).toBe("reached");
    expect(done(world)).toEqual({ "/counters/a": 1 });
  });

  it.each([HOUR, -HOUR])("by %d ms makes no try wait for longer", async (byMs) => {
    const world = counting({ a: 0 });
    world.failing.set("plus_one", 1);
    await world.seek({ counters: { a: 1 } });
    await world.pass(0);
    expect(await phase(world)).toBe("waiting");
    clock.now += byMs;
    await world.stub.clockWasSet(clock.now - byMs);
    await world.pass(SECOND);
    expect(await phase(world)).toBe("reached");
  });

  it.each([HOUR, -HOUR])("by %d ms makes no sensor wait for longer, nor read faster", async (byMs) => {
    const sensors = [{ operation: "look_a", path: "/counters/a", every_ms: 10 * SECOND }];
    const world = counting({ a: 0 }, { sensors });
    world.seen.set("look_a", 1);
    await world.seek({ counters: { a: 1 } });
    await world.pass(5 * SECOND);
    clock.now += byMs;
    await world.stub.clockWasSet(clock.now - byMs);
    world.seen.set("look_a", 2);
    await world.pass(10 * SECOND);
    expect(await state(world)).toEqual({ a: 2 });
  });
});

describe("what a sensor sees", () => {
  it("otherwise than the plan expects makes a new plan", async () => {
    const world = counting({ a: 0, b: 0 });
    world.holds = true;
    await world.seek({ counters: { a: 1, b: 2 } });
    await world.stub.rest();
    world.holds = false;
    // The second step of b is still to come.
    await world.sense("/counters/b", 5);
    await world.end(0);
    expect(await phase(world)).toBe("running");
    await world.end(1);
    await world.pass(SECOND);
    // What it was told while a step worked there counts once that has ended.
    expect(await world.status()).toMatchObject({ phase: "unreachable", state: { counters: { a: 1, b: 5 } } });
    await world.sense("/counters/b", 1);
    await world.pass(SECOND);
    expect(await world.status()).toMatchObject({ phase: "reached", state: { counters: { a: 1, b: 2 } } });
  });

  it("after it was there sends it off again", async () => {
    const world = counting({ a: 0 });
    await world.seek({ counters: { a: 1 } });
    await world.pass(1);
    await world.sense("/counters/a", 0);
    await world.pass(SECOND);
    expect(await world.status()).toMatchObject({ phase: "reached", state: { counters: { a: 1 } } });
    expect(done(world)).toEqual({ "/counters/a": 2 });
  });

  it("is asked before each plan, and while it is there", async () => {
    const sensors = [
      { operation: "look_a", path: "/counters/a" },
      { operation: "look_b", path: "/counters/b", every_ms: 10 * SECOND },
    ];
    const world = counting({ a: 0, b: 0 }, { sensors });
    world.seen.set("look_a", 3);
    world.seen.set("look_b", 1);
    await world.seek({ counters: { a: 3, b: 1 } });
    await world.pass(1);
    expect(await world.status()).toMatchObject({ phase: "reached", state: { counters: { a: 3, b: 1 } } });
    expect(done(world)).toEqual({});
    world.seen.set("look_b", 0);
    world.job({ ...PLUS_ONE, operation: null, input: null });
    await world.pass(10 * SECOND);
    // Nothing has been done about it outside, so the next look sees it again: once in ten seconds, no faster.
    expect(world.plans).toBeLessThan(5);
    expect((await world.events("sensed")).length).toBeGreaterThan(0);
  });

  it("elsewhere does not keep a plan from being made, however often it is told", async () => {
    const world = counting({ a: 0 });
    let told = 0;
    world.beforeAnswer = async () => {
      if (told < 30) await world.sense("/noise", (told += 1));
    };
    await world.seek({ counters: { a: 2 } });
    await world.pass(SECOND);
    expect(await world.status()).toMatchObject({ phase: "reached", state: { counters: { a: 2 }, noise: world.plans } });
    expect(world.plans).toBeLessThan(4);
  });

  it("told without a pause does not hide that no way leads to the target", async () => {
    const world = counting({ a: 0 });
    let told = 0;
    world.beforeAnswer = async () => {
      if (told < 30) await world.sense("/noise", (told += 1));
    };
    await world.seek({ counters: { a: -1 } });
    await world.pass(SECOND / 2);
    expect((await world.events("phase")).map((event) => event["phase"])).toContain("unreachable");
    expect(world.plans).toBeLessThan(10);
    await world.sense("/counters/a", -1);
    await world.pass(2 * SECOND);
    expect(await phase(world)).toBe("reached");
  });

  it("is nothing where one that is polled fails, which its status says", async () => {
    const sensors = [{ operation: "look", path: "/counters/a", every_ms: 10 * SECOND }];
    const world = counting({ a: 0 }, { sensors });
    world.seen.set("look", 0);
    await world.seek({ counters: { a: 1 } });
    await world.pass(1);
    world.seen.delete("look");
    world.failing.set("look", 1);
    await world.pass(10 * SECOND);
    expect(await world.status()).toMatchObject({
      phase: "reached",
      sensorError: { code: "handler_failed", detail: "/counters/a: it failed" },
    });
  });

  it("that undoes each plan is a failure, and is given up", async () => {
    const world = counting(
      { a: 0 },
      { sensors: [{ operation: "look", path: "/counters/a" }], retry: { max_failures: 3 } },
    );
    world.seen.set("look", 0);
    await world.seek({ counters: { a: 1 } });
    await world.pass(1_000 * SECOND);
    expect(await phase(world)).toBe("failed");
    expect(done(world)).toEqual({ "/counters/a": 3 });
  });
});

describe("a sensor that sees otherwise each time it is there", () => {
  it("sends it off ever more slowly, until it gives up", async () => {
    const world = counting({ a: 0 }, { retry: { max_failures: 4 } });
    await world.seek({ counters: { a: 1 } });
    for (let looks = 0; looks < 20; looks++) {
      await world.pass(20);
      await world.sense("/counters/a", 0);
    }
    expect(await world.status()).toMatchObject({ phase: "waiting" });
    expect(done(world)).toEqual({ "/counters/a": 2 });
    for (let looks = 0; looks < 30; looks++) {
      await world.pass(SECOND);
      await world.sense("/counters/a", 0);
    }
    expect((await world.status()).reason).toBe("gave up after 4 failures: a sensor sees otherwise at /counters/a");
    expect(done(world)).toEqual({ "/counters/a": 4 });
  });

  it("is a change like any other where it has been there for long", async () => {
    const world = counting({ a: 0 }, { retry: { max_failures: 2 } });
    await world.seek({ counters: { a: 1 } });
    for (let looks = 1; looks <= 5; looks++) {
      await world.pass(10 * SECOND);
      await world.sense("/counters/a", 0);
      await world.pass(0);
      expect(done(world)).toEqual({ "/counters/a": looks + 1 });
    }
  });
});

describe("a target", () => {
  it("that changes in the middle takes the place of the one before", async () => {
    const world = counting({ a: 0 });
    world.holds = true;
    await world.seek({ counters: { a: 5 } });
    await world.stub.rest();
    await world.seek({ counters: { a: 2 } });
    await world.stub.rest();
    expect(world.executions).toHaveLength(1);
    world.holds = false;
    await world.end(0);
    await world.pass(SECOND);
    expect(await world.status()).toMatchObject({ phase: "reached", seek: 2, state: { counters: { a: 2 } } });
    expect(done(world)).toEqual({ "/counters/a": 2 });
  });

  it("may cancel what runs for the one before", async () => {
    const world = counting({ a: 0 });
    world.holds = true;
    await world.seek({ counters: { a: 5 } });
    await world.stub.rest();
    world.holds = false;
    await world.seek({ counters: { a: 1 } }, true);
    await world.pass(10 * SECOND);
    expect(world.executions[0]?.status).toBe("cancelled");
    expect(await phase(world)).toBe("reached");
  });

  it("does not answer for what was done for the one before", async () => {
    const world = counting({ a: 0 }, { retry: { max_failures: 1 } });
    world.holds = true;
    await world.seek({ counters: { a: 5 } });
    await world.stub.rest();
    world.holds = false;
    await world.seek({ counters: { a: 1 } }, true);
    // Whoever waits for the execution hears of its end in a moment.
    for (let turns = 0; turns < 100 && (await phase(world)) === "running"; turns++) await world.pass(1);
    await world.pass(0);
    expect(await world.status()).toMatchObject({ phase: "reached", failures: 0 });
    expect((await world.events("phase")).map((event) => event["phase"])).not.toContain("waiting");
  });

  it("that is far away and large is unreachable in few words", async () => {
    const world = counting({ a: 0 }, { initial: { big: "x".repeat(900_000) } });
    await world.seek({ big: "y".repeat(450_000) });
    await world.pass(0);
    expect(await world.status()).toMatchObject({
      phase: "unreachable",
      reason: "no way to /big: every way was tried. No job works on /big; jobs work on /counters/:name.",
      unmet: [{ path: "/big" }],
    });
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`${"k".repeat(40)}${at}`, 1]));
    await world.seek(many);
    await world.pass(0);
    const { unmet, reason } = await world.status();
    expect(unmet).toHaveLength(100);
    expect(reason?.length).toBeLessThan(3_000);
  });

  it("that no way leads to is said, and tried again when a job is edited", async () => {
    const world = counting({ a: 1 });
    await world.seek({ counters: { a: 0 } });
    await world.pass(0);
    expect(await world.status()).toMatchObject({
      phase: "unreachable",
      unmet: [{ path: "/counters/a", wanted: 0, is: 1 }],
    });
    world.job({ ...PLUS_ONE, name: "minus_one", when: "value > target", effect: "value - 1" });
    await world.put({ jobs: ["plus_one", "minus_one"] });
    await world.pass(0);
    expect(await phase(world)).toBe("reached");
  });

  it("is let go of by a stop, once what runs has ended", async () => {
    const world = counting({ a: 0 });
    world.holds = true;
    await world.seek({ counters: { a: 3 } });
    await world.stub.rest();
    await world.stub.stop(false);
    expect(await phase(world)).toBe("running");
    await world.end(0);
    await world.pass(10 * SECOND);
    expect(await world.status()).toMatchObject({ phase: "stopped", state: { counters: { a: 1 } } });
    expect(done(world)).toEqual({ "/counters/a": 1 });
  });
});

describe("a row", () => {
  it("that is paused lets what runs end, and goes on when it is resumed", async () => {
    const world = counting({ a: 0 });
    world.holds = true;
    await world.seek({ counters: { a: 2 } });
    await world.stub.rest();
    await world.put({ active: false });
    world.holds = false;
    await world.end(0);
    await world.pass(100 * SECOND);
    expect(await world.status()).toMatchObject({ phase: "waiting", active: false, state: { counters: { a: 1 } } });
    // Who follows it is told that it waits for no time.
    expect((await world.events("phase")).at(-1)).toMatchObject({ phase: "waiting", active: false });
    await world.put({ active: true });
    await world.pass(SECOND);
    expect(await phase(world)).toBe("reached");
  });

  it("that is deleted takes everything with it, and who watches hears no more", async () => {
    const world = counting({ a: 0 });
    await world.seek({ counters: { a: 1 } });
    await world.pass(SECOND);
    const { event } = await world.status();
    const watching = Promise.resolve(world.stub.watch(event, 60 * SECOND));
    world.row = undefined;
    await world.stub.changed();
    expect(await world.stub.status()).toBeUndefined();
    expect(await watching).toEqual([]);
    const tables = ["agent", "steps", "jobs", "events", "held", "sensors"];
    for (const table of tables) expect(await world.stub.rows(`SELECT * FROM ${table}`)).toEqual([]);
  });

  it("of a job that is edited counts from the next plan on", async () => {
    const world = counting({ a: 0 });
    world.holds = true;
    await world.seek({ counters: { a: 2 } });
    await world.stub.rest();
    world.job({ ...PLUS_ONE, effect: "value + 10", when: null });
    world.holds = false;
    await world.end(0);
    await world.pass(SECOND);
    expect(await state(world)).toEqual({ a: 2 });
  });
});
