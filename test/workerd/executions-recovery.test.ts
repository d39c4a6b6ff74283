/** What outlives what: restarts in the middle, endings of old attempts, alarms that fail, messages that come twice. */
import { describe, expect, it } from "vitest";
import { nameOfShard } from "../../src/executions/execution-shard.ts";
import type { Accept, Ending } from "../../src/executions/messages.ts";
import { clock, DAY, ended, ERROR, failed, item, SECOND, terminal, TestWorld } from "./execution-world.ts";

const TABLES = ["executions", "inputs", "outputs", "items", "logs", "keys", "cancelled"];

/** Makes every write that the condition names fail until it is called. */
async function breakWrites(world: TestWorld, on: string): Promise<() => Promise<void>> {
  await world.rows(`CREATE TRIGGER broken BEFORE ${on} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`);
  return async () => void (await world.rows("DROP TRIGGER broken"));
}

function key(input = "i", hash = "h"): NonNullable<Accept["key"]> {
  return { hash, input, expires_at: clock.now + DAY };
}

describe("a message that comes twice", () => {
  it("is answered as the same, and starts nothing again", async () => {
    const world = new TestWorld();
    const [first, second] = [item(), item({ due: clock.now + DAY })];
    expect(await world.accept([first, second])).toEqual([{ kind: "accepted" }, { kind: "accepted" }]);
    expect(await world.accept([first, second])).toEqual([
      { kind: "same", id: first.id, status: "running" },
      { kind: "same", id: second.id, status: "queued" },
    ]);
    await world.settle([ended(first, failed)]);
    await world.ringUntil(clock.now + SECOND);
    expect(await world.shard().find(first.id)).toMatchObject({ status: "running", attempt: 2 });
    expect(await world.accept([first])).toEqual([{ kind: "same", id: first.id, status: "running" }]);
    expect(await world.settle([ended({ ...first, attempt: 2 })])).toEqual(["succeeded"]);
    expect(await world.accept([first])).toEqual([{ kind: "same", id: first.id, status: "succeeded" }]);
    expect((await world.claims()).map(({ id, attempt }) => [id, attempt])).toEqual([
      [first.id, 1],
      [first.id, 2],
    ]);
    expect(await world.rows("SELECT count(*) AS n FROM inputs")).toEqual([{ n: 2 }]);
  });

  it("is one call although it has it twice", async () => {
    const world = new TestWorld();
    const one = item();
    const replies = await world.accept([one, one]);
    expect(replies).toEqual([{ kind: "accepted" }, { kind: "same", id: one.id, status: "running" }]);
    expect(await world.taken()).toEqual([one.id]);
  });

  it("settles once", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    expect(await world.settle([ended(one), ended(one, terminal)])).toEqual(["succeeded", null]);
    expect(await world.settle([ended(one, terminal)])).toEqual([null]);
    expect(await world.shard().find(one.id)).toMatchObject({ status: "succeeded", error: null });
  });
});

describe("what is large", () => {
  it("is taken in one message and ends in one, though it is more than one value of the database holds", async () => {
    const world = new TestWorld();
    const text = JSON.stringify('"'.repeat(400_000));
    const many = Array.from({ length: 6 }, () => item({ input: { text } }));
    expect(await world.accept(many)).toEqual(many.map(() => ({ kind: "accepted" })));
    expect((await world.claims()).map(({ input }) => input)).toEqual(many.map(() => ({ text })));
    const ending = { kind: "succeeded" as const, output: { text }, sha256: "a".repeat(64), size_bytes: text.length };
    expect(await world.settle(many.map((one) => ended(one, ending)))).toEqual(many.map(() => "succeeded"));
    for (const { id } of many) expect(await world.shard().output(id)).toEqual({ text });
  });
});

describe("attempts that only wait for others", () => {
  it("take no place that those need", async () => {
    const world = new TestWorld();
    const chains = Array.from({ length: 100 }, () => item({ operation: "chain", head: { waits: true } }));
    await world.accept(chains);
    expect(await world.taken()).toHaveLength(100);
    const step = item();
    await world.accept([step]);
    expect(await world.taken()).toEqual([step.id]);
  });
});

describe("settle()", () => {
  it.each<[string, number]>([
    ["an attempt before", 1],
    ["one that never was", 3],
    ["no attempt", 0],
  ])("refuses the ending of %s, with its logs and its output", async (_what, attempt) => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    await world.settle([ended(one, failed)]);
    await world.ringUntil(clock.now + SECOND);
    const late = { ...ended({ id: one.id, attempt }), logs: [{ level: "info", message: "late", at_ms: 1 } as const] };
    expect(await world.settle([late])).toEqual([null]);
    expect(await world.shard().find(one.id)).toMatchObject({ status: "running", attempt: 2, output: null });
    expect(await world.shard().output(one.id)).toBeUndefined();
    expect(await world.shard().logs(one.id, { after: 0, limit: 10 })).toEqual([]);
    expect(await world.shard().renew([{ id: one.id, attempt }])).toEqual([one.id]);
    expect(await world.shard().progress(one.id, attempt, '{"0":{"ok":true,"output":1}}')).toBe(false);
    expect(await world.shard().steps(one.id, attempt, [])).toBe(false);
    expect(await world.settle([ended({ id: one.id, attempt: 2 })])).toEqual(["succeeded"]);
  });

  it("refuses an ending for what it does not know, and takes the others of the message", async () => {
    const world = new TestWorld();
    const [first, second, queued] = [item(), item(), item({ due: clock.now + DAY })];
    await world.accept([first, second, queued]);
    expect(
      await world.settle([ended(first), ended({ id: "ex_00_no" }), ended({ ...queued, attempt: 0 }), ended(second)]),
    ).toEqual(["succeeded", null, null, "succeeded"]);
  });

  it("takes nothing when one of its writes fails, and all of it when it is sent again", async () => {
    const world = new TestWorld();
    const [first, second, third] = [item(), item(), item({ due: clock.now + SECOND })];
    await world.accept([first, second, third]);
    const mend = await breakWrites(world, "INSERT ON outputs");
    await expect(world.settle([ended(first), ended(second)])).rejects.toThrow();
    expect(await world.status(first.id)).toBe("running");
    await mend();
    expect(await world.settle([ended(first), ended(second)])).toEqual(["succeeded", "succeeded"]);
    expect(await world.rows("SELECT count(*) AS n FROM outputs")).toEqual([{ n: 2 }]);
  });
});

describe("accept() when the disk is full", () => {
  it("acknowledges nothing, launches nothing and keeps nothing; later it goes on", async () => {
    const world = new TestWorld();
    const [first, second] = [item({ key: key() }), item()];
    const mend = await breakWrites(world, "INSERT ON inputs");
    await expect(world.accept([first, second])).rejects.toThrow();
    await mend();
    expect(world.launched).toEqual([]);
    for (const table of TABLES) {
      expect([table, await world.rows(`SELECT * FROM ${table}`)]).toEqual([table, []]);
    }
    expect(await world.accept([first, second])).toEqual([{ kind: "accepted" }, { kind: "accepted" }]);
    expect(await world.taken()).toEqual([first.id, second.id]);
  });
});

describe("Idempotency-Key", () => {
  it("stands for its execution, whatever has become of it", async () => {
    const world = new TestWorld();
    const [first, again] = [item({ key: key() }), item({ key: key() })];
    await world.accept([first]);
    expect(await world.accept([again])).toEqual([{ kind: "same", id: first.id, status: "running" }]);
    await world.settle([ended(first, terminal)]);
    await world.restart();
    expect(await world.accept([again])).toEqual([{ kind: "same", id: first.id, status: "dead" }]);
    expect(await world.taken()).toEqual([first.id]);
  });

  it("refuses another input, also when the first is in the same message", async () => {
    const world = new TestWorld();
    const [first, other, same] = [item({ key: key("a") }), item({ key: key("b") }), item({ key: key("a") })];
    expect(await world.accept([first, other, same])).toEqual([
      { kind: "accepted" },
      { kind: "key_reused", id: first.id },
      { kind: "same", id: first.id, status: "running" },
    ]);
    expect(await world.accept([other])).toEqual([{ kind: "key_reused", id: first.id }]);
    expect(await world.taken()).toEqual([first.id]);
  });

  it("means nothing after its time, to the millisecond", async () => {
    const world = new TestWorld();
    const first = item({ key: key("a") });
    await world.accept([first]);
    await world.settle([ended(first)]);
    clock.now += DAY - 1;
    expect((await world.accept([item({ key: key("b") })]))[0]?.kind).toBe("key_reused");
    clock.now += 1;
    const next = item({ key: key("b") });
    expect(await world.accept([next])).toEqual([{ kind: "accepted" }]);
    expect((await world.accept([item({ key: key("b") })]))[0]).toMatchObject({ kind: "same", id: next.id });
  });

  it("is forgotten by alarm, also where nothing but a reserved one is", async () => {
    const world = new TestWorld();
    await world.shard().reserve(key(), item().id);
    expect(await world.alarmAt()).toBe(clock.now + DAY);
    await world.restart();
    await world.ringUntil(clock.now + DAY);
    expect(await world.rows("SELECT * FROM keys")).toEqual([]);
  });

  it("leads to the reserved id after a crash between the two shards, and runs it once", async () => {
    const world = new TestWorld();
    const id = item({ shard: 3 }).id;
    expect(await world.shard(7).reserve(key(), id)).toEqual({ id, reused: false });
    await world.restart(7);
    const repeated = await world.shard(7).reserve(key(), item({ shard: 3 }).id);
    expect(repeated).toEqual({ id, reused: false });
    expect(await world.shard(7).reserve(key("other"), item().id)).toEqual({ id, reused: true });
    const accept = item({ shard: 3, id });
    expect(await world.accept([accept], 3)).toEqual([{ kind: "accepted" }]);
    expect(await world.accept([accept], 3)).toEqual([{ kind: "same", id, status: "running" }]);
    expect(await world.taken(3)).toEqual([id]);
  });

  it("is not taken by a call that found the queue full", async () => {
    const world = new TestWorld();
    const [running, refused, other] = [
      item({ lane: "one", head: { limit: 1 } }),
      item({ lane: "one", head: { limit: 1 }, max_queued: 0, key: key("a") }),
      item({ lane: "one", head: { limit: 1 }, max_queued: 1, key: key("b") }),
    ];
    expect((await world.accept([running, refused, other])).map(({ kind }) => kind)).toEqual([
      "accepted",
      "queue_full",
      "accepted",
    ]);
  });
});

describe("a restart", () => {
  it("of the platform interrupts what ran, at once, and tries it again", async () => {
    const world = new TestWorld();
    world.incarnation = "first";
    const one = item();
    await world.accept([one]);
    world.incarnation = "second";
    await world.restart();
    await world.shard().wake();
    expect(await world.alarmAt()).toBeLessThanOrEqual(clock.now);
    await world.ring();
    expect(await world.shard().find(one.id)).toMatchObject({
      status: "retrying",
      attempts: [{ attempt: 1, end: "interrupted", environment: null, error: { code: "executor_lost" } }],
    });
    // It was the first attempt's, and comes too late.
    expect(await world.settle([ended(one)])).toEqual([null]);
    await world.ringUntil(clock.now + 10);
    expect((await world.claims()).map(({ id, attempt }) => [id, attempt])).toEqual([
      [one.id, 1],
      [one.id, 2],
    ]);
    expect(await world.settle([ended({ ...one, attempt: 2 })])).toEqual(["succeeded"]);
  });

  it("of the object alone interrupts nothing whose runner is heard of", async () => {
    const world = new TestWorld();
    world.incarnation = "same";
    const [heard, silent] = [item(), item()];
    await world.accept([heard, silent]);
    await world.restart();
    await world.shard().wake();
    clock.now += 9 * SECOND;
    expect(await world.shard().renew([{ id: heard.id, attempt: 1 }])).toEqual([]);
    await world.ringUntil(clock.now + 9 * SECOND);
    expect(await world.status(heard.id)).toBe("running");
    expect(await world.shard().find(silent.id)).toMatchObject({ attempts: [{ end: "interrupted" }] });
  });

  it("leaves a synchronous call its whole time-out, and 50 of them do not make anything dead", async () => {
    const world = new TestWorld();
    const [sync, long] = [item({ head: { mode: "sync", timeout_ms: 60 * SECOND } }), item()];
    await world.accept([sync, long]);
    for (let restarts = 0; restarts < 50; restarts++) {
      await world.restart();
      clock.now += SECOND;
      const at = await world.alarmAt();
      if (at !== null && at <= clock.now) await world.ring();
      expect(await world.shard().renew([{ id: long.id, attempt: 1 }])).toEqual([]);
    }
    expect(await world.settle([ended(sync)])).toEqual(["succeeded"]);
    expect(await world.settle([ended(long)])).toEqual(["succeeded"]);
  });

  it("fails a synchronous call that is over its time, and never runs it again", async () => {
    const world = new TestWorld();
    const sync = item({ head: { mode: "sync", timeout_ms: 60 * SECOND } });
    await world.accept([sync]);
    await world.ringUntil(clock.now + 71 * SECOND);
    expect(await world.shard().find(sync.id)).toMatchObject({ status: "failed", error: { code: "executor_lost" } });
    expect(world.launched).toEqual([]);
  });

  it("100 times in one execution makes it dead at the 100th and not before", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    for (let attempt = 1; attempt <= 100; attempt++) {
      expect(await world.shard().find(one.id)).toMatchObject({ status: "running", attempt });
      clock.now += 10 * SECOND;
      await world.ring();
      await world.ringUntil(clock.now + 6 * SECOND);
    }
    expect(await world.shard().find(one.id)).toMatchObject({ status: "dead", kept_until: null });
  });

  it("finds by itself all that is due, even when its alarm is lost", async () => {
    const world = new TestWorld();
    const [delayed, failing, over] = [item({ due: clock.now + SECOND }), item(), item()];
    await world.accept([delayed, failing, over]);
    await world.settle([ended(failing, failed), ended(over)]);
    await world.inside((_, { storage }) => storage.deleteAlarm());
    await world.restart();
    await world.shard().wake();
    expect(await world.alarmAt()).not.toBeNull();
    await world.ringUntil(clock.now + 2 * SECOND);
    const found = await world.claims();
    await world.finishAll();
    await world.ringUntil(clock.now + 2 * DAY);
    expect(found.filter(({ id, attempt }) => id === delayed.id && attempt === 1)).toHaveLength(1);
    expect(found.filter(({ id, attempt }) => id === failing.id && attempt === 2)).toHaveLength(1);
    expect(await world.status(over.id)).toBeUndefined();
  });

  it("starts what waits for a place when a runner is lost", async () => {
    const world = new TestWorld();
    world.runnersAreLost = true;
    const lost = item({ lane: "one", head: { limit: 1 } });
    await world.accept([lost]);
    await world.shard().wake();
    await expect.poll(() => world.status(lost.id), { interval: 2 }).toBe("retrying");
    world.runnersAreLost = false;
    await world.ringUntil(clock.now + SECOND);
    expect((await world.claims()).map(({ id, attempt }) => [id, attempt])).toEqual([[lost.id, 2]]);
  });
});

describe("alarm()", () => {
  it("twice is once", async () => {
    const world = new TestWorld();
    const [soon, waiting] = [item({ due: clock.now + SECOND }), item()];
    await world.accept([soon, waiting]);
    clock.now += SECOND;
    await world.inside(async (shard) => {
      await shard.alarm?.();
      await shard.alarm?.();
    });
    expect(await world.taken()).toEqual([waiting.id, soon.id]);
    expect(await world.shard().find(soon.id)).toMatchObject({ attempt: 1 });
    expect(await world.alarmAt()).toBe(clock.now + 10 * SECOND);
  });

  it("before its time does nothing and is set again", async () => {
    const world = new TestWorld();
    const soon = item({ due: clock.now + DAY });
    await world.accept([soon]);
    clock.now -= SECOND;
    await world.ring();
    expect(await world.alarmAt()).toBe(soon.due);
    expect(await world.taken()).toEqual([]);
  });

  it("that meets an exception loses nothing: the object that follows does it", async () => {
    const world = new TestWorld();
    const [soon, ends] = [item({ due: clock.now + SECOND }), item({ head: { retention_ms: SECOND } })];
    await world.accept([soon, ends]);
    await world.settle([ended(ends)]);
    const mend = await breakWrites(world, "UPDATE ON executions");
    clock.now += SECOND;
    await world.ring().catch(() => undefined);
    await world
      .shard()
      .wake()
      .catch(() => undefined);
    expect(await world.alarmAt()).not.toBeNull();
    await mend();
    await world.ringUntil(clock.now + SECOND);
    expect((await world.taken()).filter((id) => id === soon.id)).toEqual([soon.id]);
    expect(await world.status(ends.id)).toBeUndefined();
  });

  it("goes on although the clock jumped back in between", async () => {
    const world = new TestWorld();
    const [running, soon] = [item(), item({ due: clock.now + SECOND })];
    await world.accept([running, soon]);
    clock.now -= DAY;
    expect(await world.settle([ended(running)])).toEqual(["succeeded"]);
    await world.ringUntil(clock.now + SECOND);
    expect(await world.taken()).toEqual([running.id, soon.id]);
  });
});

async function acceptOne(world: TestWorld, changes: Parameters<typeof item>[0] = {}): Promise<string> {
  const one = item(changes);
  await world.accept([one]);
  return one.id;
}

async function afterEnding(world: TestWorld, ending?: Ending): Promise<string> {
  const id = await acceptOne(world);
  await world.settle([ended({ id }, ending)]);
  return id;
}

async function ringAll(world: TestWorld): Promise<void> {
  for (let rounds = 0; rounds < 3; rounds++) {
    for (const shard of [0, 5, 9, 15]) {
      const at = await world.alarmAt(shard);
      if (at !== null && at <= clock.now) await world.ring(shard);
    }
  }
}

/** A parent in shard 0, three children in shards 0, 5 and 15, and a grandchild in 9. */
async function family(world: TestWorld): Promise<{ parent: string; younger: { id: string; shard: number }[] }> {
  const parent = await acceptOne(world);
  const younger = [];
  for (const [shard, from] of [
    [0, parent],
    [5, parent],
    [15, parent],
    [9, ""],
  ] as const) {
    const one = item({ shard, parent: from === "" ? (younger[2]?.id ?? "") : from });
    await world.accept([one], shard);
    younger.push({ id: one.id, shard });
  }
  return { parent, younger };
}

describe("cancel()", () => {
  const states: [string, string, (world: TestWorld) => Promise<string>][] = [
    ["delayed", "cancelled", async (world) => acceptOne(world, { due: clock.now + DAY })],
    [
      "waiting for a place",
      "cancelled",
      async (world) => (
        await acceptOne(world, { lane: "one", head: { limit: 1 } }),
        acceptOne(world, { lane: "one", head: { limit: 1 } })
      ),
    ],
    ["running", "cancelled", async (world) => acceptOne(world)],
    ["retrying", "cancelled", async (world) => afterEnding(world, failed)],
    ["put back", "cancelled", async (world) => afterEnding(world, { kind: "put_back", error: ERROR })],
    ["succeeded", "succeeded", async (world) => afterEnding(world)],
    ["dead", "dead", async (world) => afterEnding(world, terminal)],
    ["a running synchronous call", "running", async (world) => acceptOne(world, { head: { mode: "sync" } })],
  ];

  it.each(states)("of one that is %s leaves it %s", async (_what, status, make) => {
    const world = new TestWorld();
    const id = await make(world);
    const view = await world.shard().cancel(id);
    expect(view?.status).toBe(status);
    expect(await world.shard().cancel(id)).toEqual(view);
    if (status === "cancelled") {
      expect(view).toMatchObject({
        error: { code: "execution_cancelled" },
        finished_at: new Date(clock.now).toISOString(),
      });
      expect(await world.shard().renew([{ id, attempt: view?.attempt ?? 0 }])).toEqual([id]);
      expect(await world.settle([ended({ id, attempt: view?.attempt ?? 0 })])).toEqual([null]);
    }
    await world.ringUntil(clock.now + 9 * SECOND);
    expect(await world.status(id)).toBe(status);
    if (status !== "dead") {
      await world.finishAll();
      await world.ringUntil(clock.now + 2 * DAY);
      expect(await world.status(id)).toBeUndefined();
    }
    expect((await world.claims()).filter((claim) => claim.id === id && claim.attempt > 1)).toEqual([]);
  });

  it("frees its place at once, for the next", async () => {
    const world = new TestWorld();
    const [first, second] = [item({ lane: "one", head: { limit: 1 } }), item({ lane: "one", head: { limit: 1 } })];
    await world.accept([first, second]);
    await world.shard().cancel(first.id);
    expect(await world.taken()).toEqual([first.id, second.id]);
  });

  it("answers nothing for what is not there", async () => {
    expect(await new TestWorld().shard().cancel(item().id)).toBeUndefined();
  });

  it("reaches children and theirs in every shard, and nobody else", async () => {
    const world = new TestWorld();
    const { parent, younger } = await family(world);
    const stranger = item({ shard: 5 });
    await world.accept([stranger], 5);
    await world.shard().cancel(parent);
    await ringAll(world);
    for (const { id, shard } of younger) expect([shard, await world.status(id, shard)]).toEqual([shard, "cancelled"]);
    expect(await world.status(stranger.id, 5)).toBe("running");
    expect(await world.rows("SELECT * FROM cancelled")).toEqual([]);
  });

  it("reaches them after a crash before they were told, and when a shard was silent", async () => {
    const world = new TestWorld();
    const { parent, younger } = await family(world);
    await world.shard().cancel(parent);
    await world.inside((_, { storage }) => storage.deleteAlarm());
    await world.restart();
    await world.shard().wake();
    expect(await world.alarmAt()).not.toBeNull();
    world.silent.add(nameOfShard(5));
    clock.now += SECOND;
    await world.ring();
    expect(await world.alarmAt()).not.toBeNull();
    world.silent.clear();
    clock.now += SECOND;
    await ringAll(world);
    clock.now += SECOND;
    await ringAll(world);
    for (const { id, shard } of younger) expect([shard, await world.status(id, shard)]).toEqual([shard, "cancelled"]);
  });

  it("of more than a hundred at once reaches the children of each", async () => {
    const world = new TestWorld();
    const parents = Array.from({ length: 120 }, () => item());
    const children = parents.map(({ id }) => item({ parent: id, due: clock.now + DAY }));
    await world.accept([...parents, ...children]);
    await world.inside((shard) => {
      for (const { id } of parents) shard.cancel(id);
    });
    await world.ringUntil(clock.now + 2 * SECOND);
    const left = await world.rows("SELECT id FROM executions WHERE parent IS NOT NULL AND status <> 'cancelled'");
    // Those that began have told their children; the others had none.
    const begun = await world.rows("SELECT id FROM executions WHERE parent IS NULL AND attempt > 0");
    expect(left.length).toBe(120 - begun.length);
    expect(await world.rows("SELECT * FROM cancelled")).toEqual([]);
  });

  it("racing the end has one winner, and both hear the same", async () => {
    for (let round = 0; round < 4; round++) {
      const world = new TestWorld();
      const id = await acceptOne(world);
      const cancel = (): unknown => world.shard().cancel(id);
      const settle = (): unknown => world.settle([ended({ id })]);
      await Promise.all(round % 2 === 0 ? [cancel(), settle()] : [settle(), cancel()]);
      const status = await world.status(id);
      expect(["cancelled", "succeeded"]).toContain(status);
      expect((await world.shard().output(id)) !== undefined).toBe(status === "succeeded");
    }
  });
});

describe("a database of the first version", () => {
  it("is taken over: its records go, everything else works", async () => {
    const world = new TestWorld();
    await world.inside((_, { storage }) => {
      for (const { name } of storage.sql
        .exec<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
        )
        .toArray()) {
        storage.sql.exec(`DROP TABLE "${name}"`);
      }
      storage.sql.exec(
        "CREATE TABLE executions (id TEXT PRIMARY KEY, operation TEXT, status TEXT, record TEXT) WITHOUT ROWID",
      );
      storage.sql.exec("INSERT INTO executions VALUES ('ex_00_old', 'echo', 'succeeded', '{}')");
    });
    await world.restart();
    expect(await world.shard().find("ex_00_old")).toBeUndefined();
    const one = item({ key: key() });
    expect(await world.accept([one])).toEqual([{ kind: "accepted" }]);
    await world.restart();
    expect(await world.settle([ended(one)])).toEqual(["succeeded"]);
    expect(await world.status(one.id)).toBe("succeeded");
  });
});
