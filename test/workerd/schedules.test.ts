/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** The scheduler object: due times through pauses, edits, downtime, jumps of the clock, and a registry that is silent. */
import { describe, expect, it, vi } from "vitest";
import { wallClock } from "../../src/model/wall-clock.ts";
import { dueTimes } from "../../src/model/due-times.ts";
import { clock, HOUR, MINUTE, SECOND, START, TestWorld } from "./schedules-world.ts";

vi.spyOn(console, "error").mockImplementation(() => undefined);

const minutes = (...all: number[]): number[] => all.map((n) => START + n * MINUTE);
const upTo = (n: number): number[] => minutes(...Array.from({ length: n }, (_, place) => place + 1));

it("workerd knows all time zones", () => {
  const times = dueTimes({ cron: "30 2 * * *", time_zone: "Australia/Lord_Howe", every_ms: null });
  const found: string[] = [];
  for (
    let at = times.next(Date.parse("2026-10-02T12:00Z"));
    at !== undefined && found.length < 2;
    at = times.next(at)
  ) {
    found.push(wallClock(at, "Australia/Lord_Howe"));
  }
  expect(found).toEqual(["2026-10-03T02:30:00+10:30", "2026-10-04T02:30:00+11:00"]);
});

describe("a schedule", () => {
  it("starts at each due time, as itself, and sleeps in between", async () => {
    const world = new TestWorld();
    await world.put("s");
    expect(await world.of("s").alarmAt()).toBe(START + MINUTE);
    await world.until("s", START + 3 * MINUTE);
    expect(world.started("s")).toEqual(upTo(3));
    const call = world.executions[0]?.call;
    expect(call).toMatchObject({
      caller: { type: "schedule", id: world.name("s") },
      principal: { id: `schedule:${world.name("s")}`, scopes: ["ops:invoke"] },
      depth: 0,
      mode: "async",
    });
    expect(call?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(await world.history("s")).toMatchObject([{ status: "fired", execution_id: "ex_0" }, {}, {}]);
  });

  it("that is edited goes by its new times at once, and with its new input", async () => {
    const world = new TestWorld();
    await world.put("s");
    await world.until("s", START + MINUTE);
    clock.now += 30 * SECOND;
    await world.put("s", { every_ms: HOUR, input: { n: 2 } });
    await world.until("s", START + 2 * HOUR);
    expect(world.started("s")).toEqual([START + MINUTE, START + HOUR, START + 2 * HOUR]);
    expect(world.executions.map(({ call }) => call.input.text)).toEqual(['{"n":1}', '{"n":2}', '{"n":2}']);
  });

  it("that is paused makes nothing up when it is resumed", async () => {
    const world = new TestWorld();
    await world.put("s", { catch_up: "all" });
    await world.until("s", START + MINUTE);
    await world.put("s", { active: false });
    expect(
      await world
        .of("s")
        .alarmAt()
        .then((at) => at === null || at > START + HOUR),
    ).toBe(false);
    await world.until("s", START + 10 * MINUTE);
    clock.now += 5 * SECOND;
    await world.put("s", { active: true });
    await world.until("s", START + 12 * MINUTE);
    expect(world.started("s")).toEqual(minutes(1, 11, 12));
  });

  it("that is deleted leaves nothing behind", async () => {
    const world = new TestWorld();
    await world.put("s");
    await world.until("s", START + MINUTE);
    world.remove("s");
    await world.of("s").changed(world.changes.length);
    await world.until("s", START + 5 * MINUTE);
    expect(world.started("s")).toEqual(minutes(1));
    expect(
      await world.of("s").rows("SELECT (SELECT count(*) FROM firings) + (SELECT count(*) FROM schedules) AS n"),
    ).toEqual([{ n: 0 }]);
  });

  it("remembers its last hundred due times, and not all", async () => {
    const world = new TestWorld();
    await world.put("s", { catch_up: "all" });
    clock.now = START + 155 * MINUTE + 30 * SECOND;
    await world.until("s", clock.now);
    expect(world.started("s")).toHaveLength(155);
    await world.until("s", START + 156 * MINUTE);
    const [row] = await world.of("s").rows("SELECT count(*) AS n FROM firings");
    expect(row?.["n"]).toBeLessThanOrEqual(102);
    expect((await world.history("s")).at(-1)?.due).toBe(START + 156 * MINUTE);
  });

  it("that is started by hand says so", async () => {
    const world = new TestWorld();
    await world.put("s");
    await world.of("s").noteManual(world.name("s"), { at: clock.now, execution: "ex_7" });
    expect(await world.history("s")).toMatchObject([{ status: "fired", manual: 1, execution_id: "ex_7" }]);
  });
});

describe("rows that nobody told of", () => {
  it("are found when another is told", async () => {
    const world = new TestWorld();
    await world.put("a");
    // The writer was killed between the registry and the telling.
    const name = ["b", "c", "d", "e", "f", "g", "h"].find((each) => world.of(each).id.equals(world.of("a").id)) ?? "a";
    world.write(name, { every_ms: MINUTE / 2 });
    await world.put("a");
    await world.until("a", START + MINUTE);
    expect(world.started(name)).toEqual([START + MINUTE / 2, START + MINUTE]);
  });

  it("are found at the next alarm, with the due times since they were written", async () => {
    const world = new TestWorld();
    await world.put("a");
    const name = ["b", "c", "d", "e", "f", "g", "h"].find((each) => world.of(each).id.equals(world.of("a").id)) ?? "a";
    clock.now += 20 * SECOND;
    world.write(name, { every_ms: 30 * SECOND, catch_up: "all" });
    await world.until("a", START + MINUTE);
    await world.until("a", START + MINUTE + SECOND);
    expect(world.started(name)).toEqual([START + 30 * SECOND, START + MINUTE]);
  });

  it("are found at the next look, as of the next isolate", async () => {
    const world = new TestWorld();
    world.write("s");
    await world.of("s").look();
    await world.until("s", START + MINUTE);
    expect(world.started("s")).toEqual(minutes(1));
  });

  it("are found although the registry was silent when they were told", async () => {
    const world = new TestWorld();
    world.registryIsDown = true;
    await expect(world.put("s")).rejects.toThrow();
    world.registryIsDown = false;
    await world.until("s", START + MINUTE);
    expect(world.started("s")).toEqual(minutes(1));
  });

  it("do not start when they were deleted, paused or given other times meanwhile", async () => {
    const world = new TestWorld();
    for (const [name, change] of [
      ["gone", () => world.remove("gone")],
      ["paused", () => world.write("paused", { active: false })],
      ["moved", () => world.write("moved", { every_ms: HOUR })],
    ] as const) {
      clock.now = START;
      await world.put(name);
      clock.now = START + MINUTE - 1;
      change();
      await world.until(name, START + 2 * MINUTE);
      expect(world.started(name), name).toEqual([]);
    }
    expect(await world.history("moved")).toMatchObject([
      { status: "skipped", reason: expect.stringContaining("edited") },
    ]);
    expect(await world.history("paused")).toMatchObject([
      { status: "skipped", reason: expect.stringContaining("paused") },
    ]);
  });

  it("start with their new input when only that was edited", async () => {
    const world = new TestWorld();
    await world.put("s");
    world.write("s", { input: { n: 2 } });
    await world.until("s", START + MINUTE + 5 * SECOND);
    expect(world.executions.map(({ call }) => call.input.text)).toEqual(['{"n":2}']);
  });
});

describe("overlap", () => {
  it("skip: a due time is skipped while the execution of the one before goes on", async () => {
    const world = new TestWorld();
    await world.put("s", { overlap: "skip" });
    await world.until("s", START + 3 * MINUTE);
    expect(world.started("s")).toEqual(minutes(1));
    world.endAll();
    await world.until("s", START + 4 * MINUTE);
    expect(world.started("s")).toEqual(minutes(1, 4));
    expect((await world.history("s")).map(({ status }) => status)).toEqual(["fired", "skipped", "skipped", "fired"]);
  });

  it("queue: due times wait, and start in order as executions end", async () => {
    const world = new TestWorld();
    await world.put("s", { overlap: "queue" });
    await world.until("s", START + 3 * MINUTE);
    expect(world.started("s")).toEqual(minutes(1));
    expect((await world.history("s")).map(({ status }) => status)).toEqual(["fired", "queued", "pending"]);
    for (const last of [2, 3]) {
      world.endAll();
      await world.until("s", clock.now + 31 * SECOND);
      expect(world.started("s").slice(0, last)).toEqual(upTo(last));
    }
  });

  it("queue: the end of an execution starts the next at once where it is told", async () => {
    const world = new TestWorld();
    await world.put("s", { overlap: "queue" });
    await world.until("s", START + 2 * MINUTE);
    world.end(0);
    await world.of("s").ended([{ schedule: world.name("s"), execution: "ex_0" }]);
    await world.of("s").rest();
    expect(world.started("s")).toEqual(minutes(1, 2));
    expect(clock.now).toBe(START + 2 * MINUTE);
  });

  it("cancel_previous: the one before is cancelled", async () => {
    const world = new TestWorld();
    await world.put("s", { overlap: "cancel_previous" });
    await world.until("s", START + 3 * MINUTE);
    expect(world.executions.map(({ status }) => status)).toEqual(["cancelled", "cancelled", "running"]);
  });

  it("allow: they run side by side", async () => {
    const world = new TestWorld();
    await world.put("s");
    await world.until("s", START + 3 * MINUTE);
    expect(world.executions.map(({ status }) => status)).toEqual(["running", "running", "running"]);
  });
});

const after = async (
  fields: Parameters<TestWorld["put"]>[1],
  back = START + 100 * MINUTE + 30 * SECOND,
): Promise<TestWorld> => {
  const world = new TestWorld();
  await world.put("s", fields);
  await world.restart("s");
  clock.now = back;
  await world.until("s", back);
  return world;
};

describe("the platform is down across 100 due times", () => {
  it("none: it goes on with the next", async () => {
    const world = await after({ catch_up: "none" });
    expect(world.started("s")).toEqual([]);
    expect(await world.history("s")).toMatchObject([
      { status: "missed", reason: expect.stringContaining("100 due times") },
    ]);
    await world.until("s", START + 101 * MINUTE);
    expect(world.started("s")).toEqual(minutes(101));
  });

  it("last: one start makes up for all", async () => {
    const world = await after({ catch_up: "last" });
    expect(world.started("s")).toEqual(minutes(100));
  });

  it("all: each is started, once", async () => {
    const world = await after({ catch_up: "all" });
    expect(world.started("s").toSorted((a, b) => a - b)).toEqual(upTo(100));
  });

  it("all with queue: one after the other, in order", async () => {
    const world = await after({ catch_up: "all", overlap: "queue" }, START + 10 * MINUTE + 30 * SECOND);
    expect(world.started("s")).toEqual(minutes(1));
    for (let n = 2; n <= 10; n++) {
      world.end(n - 2);
      await world.of("s").ended([{ schedule: world.name("s"), execution: `ex_${n - 2}` }]);
      await world.of("s").rest();
    }
    expect(world.started("s")).toEqual(upTo(10));
  });
});

describe("the clock", () => {
  it("goes back: what was started is not started again", async () => {
    const world = new TestWorld();
    await world.put("s", { catch_up: "all" });
    await world.until("s", START + 20 * MINUTE);
    clock.now = START;
    await world.restart("s");
    await world.of("s").ring();
    await world.of("s").rest();
    await world.until("s", START + 22 * MINUTE);
    expect(world.started("s")).toEqual(upTo(22));
  });

  it("goes back: what could not be started is tried again as soon as ever", async () => {
    const world = new TestWorld();
    await world.put("s");
    world.refusal = "registry_unavailable";
    await world.until("s", START + MINUTE + 20 * SECOND);
    world.refusal = undefined;
    clock.now -= HOUR;
    await world.of("s").clockWasSet(clock.now + HOUR);
    await world.until("s", clock.now + SECOND);
    expect(world.started("s")).toEqual(minutes(1));
  });

  it("goes forward an hour: as if the platform had been down", async () => {
    const world = new TestWorld();
    await world.put("s", { catch_up: "none" });
    await world.until("s", START + MINUTE);
    clock.now = START + 61 * MINUTE + 20 * SECOND;
    await world.until("s", START + 62 * MINUTE);
    expect(world.started("s")).toEqual(minutes(1, 62));
  });
});

describe("a start that fails", () => {
  it.each(["operation_inactive", "input_invalid", "forbidden", "operation_not_found"] as const)(
    "for %s is not tried again, and says why",
    async (code) => {
      const world = new TestWorld();
      await world.put("s");
      world.refusal = code;
      await world.until("s", START + MINUTE + 50 * SECOND);
      expect(await world.history("s")).toMatchObject([
        { status: "failed", reason: expect.stringContaining(code), tries: 1 },
      ]);
      world.refusal = undefined;
      await world.until("s", START + 2 * MINUTE);
      expect(world.started("s")).toEqual(minutes(2));
    },
  );

  it.each(["registry_unavailable", "queue_full", "state_unavailable"] as const)(
    "for %s is tried again",
    async (code) => {
      const world = new TestWorld();
      await world.put("s");
      world.refusal = code;
      await world.until("s", START + MINUTE + 20 * SECOND);
      expect(world.started("s")).toEqual([]);
      world.refusal = undefined;
      await world.until("s", START + MINUTE + 50 * SECOND);
      expect(world.started("s")).toEqual(minutes(1));
    },
  );

  it("is given up when its time is over", async () => {
    const world = new TestWorld();
    await world.put("s", { every_ms: HOUR, catch_up: "none" });
    world.refusal = "registry_unavailable";
    await world.until("s", START + HOUR + 10 * MINUTE);
    expect(await world.history("s")).toMatchObject([
      { status: "failed", reason: expect.stringContaining("registry_unavailable") },
    ]);
  });

  it("because nobody starts it is tried again", async () => {
    const world = new TestWorld();
    await world.put("s");
    world.runnersAreLost = true;
    await world.until("s", START + MINUTE + 5 * SECOND);
    world.runnersAreLost = false;
    await world.until("s", START + MINUTE + 50 * SECOND);
    expect(world.started("s")).toEqual(minutes(1));
  });

  it("only for its answer is found again under its key", async () => {
    const world = new TestWorld();
    await world.put("s");
    world.answersAreLost = true;
    await world.until("s", START + MINUTE + 5 * SECOND);
    world.answersAreLost = false;
    await world.until("s", START + MINUTE + 50 * SECOND);
    expect(world.started("s")).toEqual(minutes(1));
    expect(await world.history("s")).toMatchObject([{ status: "fired", execution_id: "ex_0" }]);
  });

  it("only for its answer, before its input was edited, is not started with the other input", async () => {
    const world = new TestWorld();
    await world.put("s", { every_ms: HOUR });
    world.answersAreLost = true;
    await world.until("s", START + HOUR + SECOND);
    world.answersAreLost = false;
    await world.put("s", { input: { n: 2 } });
    await world.until("s", START + HOUR + MINUTE);
    expect(world.started("s")).toEqual([START + HOUR]);
    expect(await world.history("s")).toMatchObject([{ status: "fired", reason: expect.stringContaining("edited") }]);
  });

  it("of a thousand at one instant, with the registry down for 3 s, starts each once", async () => {
    const world = new TestWorld();
    for (let n = 0; n < 1_000; n++) world.write(`s${n}`);
    for (let shard = 0; shard < 4; shard++) await world.shard(shard).look();
    const anyOf = Array.from({ length: 4 }, (_, shard) =>
      Array.from({ length: 50 }, (__, n) => `s${n}`).find((each) => world.of(each).id.equals(world.shard(shard).id)),
    );
    world.registryIsDown = true;
    for (const name of anyOf) {
      clock.now = START;
      await world.until(name ?? "", START + MINUTE + 3 * SECOND);
    }
    expect(world.executions).toEqual([]);
    world.registryIsDown = false;
    for (const name of anyOf) {
      clock.now = START + MINUTE + 3 * SECOND;
      await world.until(name ?? "", START + MINUTE + 50 * SECOND);
    }
    expect(world.executions).toHaveLength(1_000);
    expect(new Set(world.executions.map(({ call }) => call.caller.id)).size).toBe(1_000);
  });
});

it("two objects over the same rows start each due time once", async () => {
  const world = new TestWorld();
  await world.put("s");
  await world.of("s", 1).look();
  for (let n = 1; n <= 5; n++) {
    await world.until("s", START + n * MINUTE);
    await world.until("s", START + n * MINUTE, 1);
  }
  expect(world.started("s")).toEqual(upTo(5));
});

it("a schedule that is edited while it starts starts once, with one of the inputs", async () => {
  const world = new TestWorld();
  await world.put("s");
  world.beforeFire = async () => {
    world.beforeFire = undefined;
    world.write("s", { input: { n: 2 } });
    await world.of("s").changed(world.changes.length);
  };
  await world.until("s", START + MINUTE + 20 * SECOND);
  expect(world.started("s")).toEqual(minutes(1));
});

describe("killed before or after any write", () => {
  it.each(["allow", "queue"] as const)(
    "each due time comes to one execution, with %s",
    { timeout: 240_000 },
    async (overlap) => {
      const story = async (kill: { dieBefore?: number; dieAfter?: number }): Promise<TestWorld> => {
        const world = new TestWorld();
        await world.put("s", { overlap, catch_up: "all" });
        world.writes = 0;
        Object.assign(world, kill);
        for (let n = 1; n <= 2; n++) {
          await world.until("s", START + n * MINUTE);
          world.endAll();
        }
        await world.until("s", START + 2 * MINUTE + 50 * SECOND);
        return world;
      };
      const whole = await story({});
      expect(whole.started("s")).toEqual(upTo(2));
      expect(whole.writes).toBeGreaterThan(5);
      for (let step = 1; step <= whole.writes; step++) {
        for (const kill of [{ dieBefore: step }, { dieAfter: step }]) {
          const world = await story(kill);
          expect(world.started("s"), JSON.stringify(kill)).toEqual(upTo(2));
          const history = await world.history("s");
          expect(
            history.map(({ status }) => status),
            JSON.stringify(kill),
          ).toEqual(["fired", "fired"]);
        }
      }
    },
  );
});
