/** Ends that somebody wants to hear of: noted with every way to end, told until it is answered for, kept until then. */
import { describe, expect, it, vi } from "vitest";
import { newExecutionId } from "../../src/core/ids.ts";
import type { NewRow } from "../../src/executions/_store.ts";
import type { Ending } from "../../src/executions/messages.ts";
import type { Wanted } from "../../src/model/ended.ts";
import { ENDINGS } from "../../src/model/triggers.ts";
import { clock, DAY, ended, failed, head, item, SECOND, terminal, TestWorld, until } from "./execution-world.ts";

const ALL: Wanted = { group: "g", on: ENDINGS };
const wanted = { head: { wanted: ALL } };

async function noted(world: TestWorld): Promise<string[]> {
  const rows = await world.rows<{ id: string }>("SELECT id FROM outbox ORDER BY id");
  return rows.map(({ id }) => id);
}

function endingWith(output: string): Ending {
  return { kind: "succeeded", output: { text: output }, sha256: "ab", size_bytes: 1 };
}

/** In the middle of whatever it does. */
async function kill(world: TestWorld): Promise<void> {
  await world.inside((_, state) => state.abort("killed by the test")).catch(() => undefined);
}

/** Everything is told and forgotten. */
function quiet(world: TestWorld): Promise<void> {
  return until(async () => (await noted(world)).length === 0);
}

function record(changes: Partial<NewRow> = {}): Omit<NewRow, "seq"> {
  return {
    id: newExecutionId(0, clock.now),
    operation: "sync",
    status: "succeeded",
    trigger: "token",
    parent: null,
    lane: "",
    ready: 0,
    due: clock.now + DAY,
    attempt: 1,
    head: head({ mode: "sync", wanted: ALL }),
    tail: { attempts: [], finished_at: clock.now },
    ...changes,
  };
}

describe("an end that somebody wants to hear of", () => {
  const ways: Record<string, (world: TestWorld) => Promise<string>> = {
    async "a success"(world) {
      const one = item(wanted);
      await world.accept([one]);
      await world.settle([ended(one)]);
      return one.id;
    },
    async "a death"(world) {
      const one = item(wanted);
      await world.accept([one]);
      await world.settle([ended(one, terminal)]);
      return one.id;
    },
    async "a cancel before its start"(world) {
      const one = item({ ...wanted, due: clock.now + DAY });
      await world.accept([one]);
      await world.shard().cancel(one.id);
      return one.id;
    },
    async "a cancel while it runs"(world) {
      const one = item(wanted);
      await world.accept([one]);
      await world.shard().cancel(one.id);
      return one.id;
    },
    async "its expiry"(world) {
      const one = item({ head: { wanted: ALL, limit: 0, expires_at: clock.now + SECOND }, urgent: false });
      await world.accept([one]);
      await world.ringUntil(clock.now + 2 * SECOND);
      return one.id;
    },
    async "the end of a synchronous call that is kept"(world) {
      const one = item({ head: { mode: "sync", wanted: ALL } });
      await world.accept([one]);
      await world.settle([ended(one, failed)]);
      return one.id;
    },
    async "a synchronous call whose process was lost"(world) {
      const one = item({ head: { mode: "sync", wanted: ALL, timeout_ms: SECOND } });
      await world.accept([one]);
      await world.ringUntil(clock.now + 60 * SECOND);
      return one.id;
    },
    async "an attempt that is interrupted once too often"(world) {
      const one = item(wanted);
      await world.accept([one]);
      const interrupted = Array.from({ length: 99 }, (_, at) => ({ attempt: at + 1, end: "interrupted" }));
      await world.rows("UPDATE executions SET tail = ?", JSON.stringify({ attempts: interrupted }));
      await world.restart();
      await world.ringUntil(clock.now + 60 * SECOND);
      return one.id;
    },
    async "the record of a synchronous call"(world) {
      const one = record();
      await world.shard().record(JSON.stringify([one]));
      return one.id;
    },
    async "a wish that came after it was accepted"(world) {
      const one = item();
      await world.accept([one]);
      await world.settle([{ ...ended(one), wanted: { group: "later", on: ["succeeded"] } }]);
      return one.id;
    },
  };

  it.each(Object.entries(ways))("is told and forgotten: %s", async (_, end) => {
    const world = new TestWorld();
    const id = await end(world);
    await until(() => world.told.length > 0);
    await quiet(world);
    expect(world.told).toEqual([[id]]);
    expect(["g", "later"]).toContain(world.groups[0]);
  });

  it("is only an end of those that were asked for, and no end is nobody's", async () => {
    const world = new TestWorld();
    const dead = { head: { wanted: { group: "g", on: ["dead"] as const } } };
    const [nobodys, good, bad] = [item(), item(dead), item(dead)];
    await world.accept([nobodys, good, bad]);
    await world.settle([ended(nobodys), ended(good), ended(bad, failed)]);
    expect(await noted(world)).toEqual([]);
    await world.ringUntil(clock.now + SECOND);
    await world.settle([ended({ ...bad, attempt: 2 }, terminal)]);
    await until(() => world.told.length > 0);
    expect(world.told).toEqual([[bad.id]]);
  });

  it("goes together with those of the same moment, in messages of fifty", async () => {
    const world = new TestWorld();
    const many = Array.from({ length: 60 }, () => item(wanted));
    await world.accept(many);
    await world.settle(many.map((one) => ended(one)));
    await until(() => world.told.length === 2);
    await quiet(world);
    expect(world.told.map(({ length }) => length)).toEqual([50, 10]);
    expect(world.told.flat().toSorted()).toEqual(many.map(({ id }) => id).toSorted());
  });
});

describe("an end that cannot be told", () => {
  it("is told again, later each time, and holds up no other", async () => {
    const world = new TestWorld();
    const [poison, good] = [item(wanted), item(wanted)];
    world.untold.add(poison.id);
    await world.accept([poison, good]);
    await world.settle([ended(poison), ended(good)]);
    await until(async () => (await noted(world)).join() === poison.id);
    for (let tries = 1; tries < 5; tries++) {
      const [row] = await world.rows<{ tries: number; due: number }>("SELECT tries, due FROM outbox");
      expect(row?.tries).toBe(tries);
      expect(row!.due - clock.now).toBeLessThanOrEqual(500 * 2 ** (tries - 1));
      await until(async () => ((await world.alarmAt()) ?? Infinity) <= Math.max(row!.due, clock.now));
      const before = world.told.length;
      clock.now = Math.max(clock.now, row!.due);
      await world.ring();
      await until(async () => {
        const [next] = await world.rows<{ tries: number }>("SELECT tries FROM outbox");
        return world.told.length > before && next?.tries === tries + 1;
      });
    }
    const later = item(wanted);
    await world.accept([later]);
    await world.settle([ended(later)]);
    await until(async () => (await noted(world)).join() === poison.id);
    world.untold.clear();
    clock.now += 60 * SECOND;
    await world.ring();
    await quiet(world);
  });

  it("is told by itself after a while, so that it takes no others down with it", async () => {
    const world = new TestWorld();
    const [poison, good] = [item(wanted), item(wanted)];
    world.tellersAreLost = true;
    await world.accept([poison, good]);
    await world.settle([ended(poison), ended(good)]);
    await until(async () => {
      clock.now += 60 * SECOND;
      await world.ring();
      const rows = await world.rows<{ tries: number }>("SELECT tries FROM outbox WHERE tries >= 3");
      return rows.length === 2;
    });
    world.told.length = 0;
    world.tellersAreLost = false;
    await until(async () => {
      clock.now += 60 * SECOND;
      await world.ring();
      return (await noted(world)).length === 0;
    });
    expect(world.told.every(({ length }) => length === 1)).toBe(true);
  });

  it("keeps its execution, whatever its time to be kept", async () => {
    const world = new TestWorld();
    const one = item({ head: { wanted: ALL, retention_ms: SECOND } });
    world.tellersAreLost = true;
    await world.accept([one]);
    await world.settle([ended(one)]);
    await world.ringUntil(clock.now + 10 * SECOND);
    expect(await world.status(one.id)).toBe("succeeded");
    world.tellersAreLost = false;
    await until(async () => {
      clock.now += 60 * SECOND;
      await world.ring();
      return (await noted(world)).length === 0;
    });
    await world.ringUntil(clock.now + 2 * 60 * 60 * SECOND);
    expect(await world.status(one.id)).toBeUndefined();
  });
});

describe("a crash", () => {
  it("between the end and the telling: it is told when the object is there again", async () => {
    const world = new TestWorld();
    const one = item(wanted);
    await world.accept([one]);
    // While it waits for others to end.
    const timers = vi.spyOn(globalThis, "setTimeout").mockImplementation(() => 0 as never);
    await world.settle([ended(one)]);
    await kill(world);
    timers.mockRestore();
    expect(world.told).toEqual([]);
    await world.shard().wake();
    await quiet(world);
    expect(world.told).toEqual([[one.id]]);
  });

  it("between the telling and its answer: it is told twice", async () => {
    const world = new TestWorld();
    const one = item(wanted);
    const { promise, resolve } = Promise.withResolvers<void>();
    world.beforeTold = () => promise;
    await world.accept([one]);
    await world.settle([ended(one)]);
    await until(() => world.told.length === 1);
    await kill(world);
    await world.shard().wake();
    await until(() => world.told.length === 2);
    resolve();
    await quiet(world);
    expect(world.told).toEqual([[one.id], [one.id]]);
  });

  it("of the write that ends it takes the note with it", async () => {
    const world = new TestWorld();
    const one = item(wanted);
    await world.accept([one]);
    await world.rows(
      "CREATE TRIGGER broken BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    );
    await expect(world.settle([ended(one)])).rejects.toThrow();
    expect(await world.status(one.id)).toBe("running");
    expect(world.told).toEqual([]);
  });

  it("leaves an alarm by which it is told with nobody asking", async () => {
    const world = new TestWorld();
    const one = item(wanted);
    await world.accept([one]);
    await world.settle([ended(one)]);
    expect(await world.alarmAt()).toBeLessThanOrEqual(clock.now + 10 * SECOND);
    await quiet(world);
  });
});

describe("a message that comes twice", () => {
  it("tells of an end once: a settlement", async () => {
    const world = new TestWorld();
    const one = item(wanted);
    await world.accept([one]);
    await world.settle([ended(one)]);
    await world.settle([ended(one)]);
    await until(() => world.told.length > 0);
    await quiet(world);
    expect(world.told).toEqual([[one.id]]);
  });

  it("tells of an end once: a record, also after it was told", async () => {
    const world = new TestWorld();
    const one = record();
    await world.shard().record(JSON.stringify([one]));
    await until(() => world.told.length > 0);
    await quiet(world);
    await world.shard().record(JSON.stringify([one]));
    expect(await noted(world)).toEqual([]);
    expect(world.told).toEqual([[one.id]]);
  });
});

describe("what is told of an end", () => {
  it("is the view with the output, and the input where it is asked for", async () => {
    const world = new TestWorld();
    const one = item({ ...wanted, input: { text: '{"n":1}' }, head: { wanted: ALL, depth: 3 } });
    await world.accept([one]);
    await world.settle([ended(one)]);
    const read = async (inputs: boolean) =>
      JSON.parse(await world.shard().ended([one.id, newExecutionId(0, clock.now)], { inputs })) as unknown[];
    expect(await read(false)).toEqual([{ view: await world.shard().find(one.id), depth: 3, output: '"out"' }]);
    expect(await read(true)).toMatchObject([{ output: '"out"', input: '{"n":1}' }]);
  });

  it("leaves out what is too large, and goes in as many messages as it needs", async () => {
    const world = new TestWorld();
    const text = JSON.stringify("x".repeat(250_000));
    const many = Array.from({ length: 40 }, () => item({ ...wanted, input: { text } }));
    await world.accept(many);
    const big = JSON.stringify("ä".repeat(140_000));
    world.tellersAreLost = true;
    await world.settle(many.map((one, at) => ended(one, endingWith(at === 0 ? big : text))));
    const ids = many.map(({ id }) => id);
    const seen: { view: { id: string }; output?: string }[] = [];
    let messages = 0;
    for (let left = ids; left.length > 0; messages++) {
      const read = JSON.parse(await world.shard().ended(left, { inputs: true })) as typeof seen;
      seen.push(...read);
      left = left.slice(read.length);
    }
    expect(messages).toBe(3);
    expect(seen.map(({ view }) => view.id)).toEqual(ids);
    expect(seen.map(({ output }) => output?.length)).toEqual([undefined, ...Array(39).fill(text.length)]);
  });
});
