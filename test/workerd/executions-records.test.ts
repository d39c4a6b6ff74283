/** What is kept, how it is found, and when it goes: rows, logs, listings, waits, replays, retention. */
import { describe, expect, it } from "vitest";
import { firstExecutionIdAt, newExecutionId } from "../../src/core/ids.ts";
import { createExecutions } from "../../src/executions/executions.ts";
import { listIds } from "../../src/executions/_listing.ts";
import { Store, type NewRow } from "../../src/executions/_store.ts";
import { CALLER_TYPES } from "../../src/model/principal.ts";
import { EXECUTION_STATUSES } from "../../src/model/execution-states.ts";
import type { ExecutionQuery } from "../../src/model/execution.ts";
import type { LogLine } from "../../src/model/invocation.ts";
import {
  clock,
  DAY,
  ended,
  failed,
  head,
  item,
  randomFrom,
  SECOND,
  SHARDS,
  startClock,
  stopClock,
  terminal,
  TestWorld,
} from "./execution-world.ts";

const TABLES = ["executions", "inputs", "outputs", "items", "logs"];

async function counts(world: TestWorld): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const table of TABLES) {
    const [row] = await world.rows<{ n: number }>(`SELECT count(*) AS n FROM ${table}`);
    found[table] = row?.n ?? 0;
  }
  return found;
}

function line(message: string): LogLine {
  return { level: "info", message, at_ms: clock.now };
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
    head: head({ mode: "sync" }),
    tail: { attempts: [], finished_at: clock.now },
    ...changes,
  };
}

/** One with rows in every table. */
async function full(world: TestWorld, ending?: Parameters<typeof ended>[1], retention = DAY): Promise<string> {
  const one = item({ head: { batch: true, retention_ms: retention } });
  await world.accept([one]);
  await world.shard().progress(one.id, 1, '{"0":{"ok":true,"output":1}}');
  await world.shard().appendLogs(one.id, { attempt: 1, first: 0, lines: [line("a"), line("b")] });
  const output = { text: "[1]" };
  await world.settle([ended(one, ending ?? { kind: "succeeded", output, sha256: "ab", size_bytes: 3 })]);
  return one.id;
}

describe("retention", () => {
  it("takes every row of an execution, and nothing of the others", async () => {
    const world = new TestWorld();
    const short = await full(world, undefined, SECOND);
    const long = await full(world);
    expect(await counts(world)).toEqual({ executions: 2, inputs: 2, outputs: 2, items: 2, logs: 4 });
    await world.ringUntil(clock.now + SECOND - 1);
    expect(await world.status(short)).toBe("succeeded");
    await world.ringUntil(clock.now + 1);
    expect(await world.status(short)).toBeUndefined();
    expect(await counts(world)).toEqual({ executions: 1, inputs: 1, outputs: 1, items: 1, logs: 2 });
    expect(await world.shard().find(long)).toMatchObject({ status: "succeeded" });
    expect(await world.shard().output(long)).toEqual({ text: "[1]" });
    expect(await world.shard().logs(long, { after: 0, limit: 10 })).toHaveLength(2);
    await world.ringUntil(clock.now + DAY);
    expect(await counts(world)).toEqual({ executions: 0, inputs: 0, outputs: 0, items: 0, logs: 0 });
  });

  it("never takes what is dead; once it is replayed, it is taken in its time", async () => {
    const world = new TestWorld();
    const id = await full(world, terminal);
    await world.ringUntil(clock.now + 20 * DAY);
    expect(await world.shard().find(id)).toMatchObject({ status: "dead", kept_until: null });
    const again = item({ head: { replay_of: id } });
    await world.accept([again]);
    expect(await world.shard().find(id)).toMatchObject({
      status: "dead",
      kept_until: new Date(clock.now + DAY).toISOString(),
      replayed_by: [again.id],
    });
    await world.finishAll();
    await world.ringUntil(clock.now + DAY - 1);
    expect(await world.status(id)).toBe("dead");
    await world.ringUntil(clock.now + 1);
    expect(await counts(world)).toEqual({ executions: 0, inputs: 0, outputs: 0, items: 0, logs: 0 });
  });

  it("gives no number a second time: a new execution does not get what an old one left", async () => {
    const world = new TestWorld();
    const old = await full(world, undefined, SECOND);
    await world.ringUntil(clock.now + SECOND);
    await world.restart();
    const fresh = item();
    await world.accept([fresh]);
    expect(await world.shard().output(fresh.id)).toBeUndefined();
    expect(await world.shard().logs(fresh.id, { after: 0, limit: 10 })).toEqual([]);
    expect(await world.shard().logs(old, { after: 0, limit: 10 })).toBeUndefined();
    expect(await counts(world)).toEqual({ executions: 1, inputs: 1, outputs: 0, items: 0, logs: 0 });
  });
});

describe("record()", () => {
  it("stores a record once, and takes each away in its own time", async () => {
    const world = new TestWorld();
    const [long, short] = [record({ due: clock.now + 9 * DAY }), record({ due: clock.now + SECOND })];
    await world.shard().record(JSON.stringify([long, short]));
    await world.shard().record(JSON.stringify([long, { ...short, status: "failed" }]));
    expect(await counts(world)).toMatchObject({ executions: 2, inputs: 0 });
    expect(await world.status(short.id)).toBe("succeeded");
    await world.ringUntil(clock.now + SECOND);
    expect(await world.status(short.id)).toBeUndefined();
    expect(await world.status(long.id)).toBe("succeeded");
  });

  it("leaves room for executions that come between", async () => {
    const world = new TestWorld();
    const [first, second] = [item(), item()];
    const one = record();
    await world.accept([first]);
    await world.shard().record(JSON.stringify([one, one]));
    await world.accept([second]);
    await world.settle([ended(first), ended(second)]);
    for (const id of [first.id, second.id, one.id]) expect(await world.status(id)).toBe("succeeded");
    expect(await world.shard().output(one.id)).toBeUndefined();
    expect(await world.shard().input(one.id)).toBeUndefined();
  });
});

describe("logs", () => {
  it("come in order over attempts, each line once, whichever way it came first", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    await world.shard().appendLogs(one.id, { attempt: 1, first: 1, lines: [line("second")] });
    await world.shard().appendLogs(one.id, { attempt: 1, first: 0, lines: [line("first"), line("other")] });
    await world.settle([{ ...ended(one, failed), logs: [line("no"), line("no"), line("third")] }]);
    await world.ringUntil(clock.now + SECOND);
    await world.shard().appendLogs(one.id, { attempt: 2, first: 0, lines: [line("fourth")] });
    // The attempt before had still something to say.
    await world.shard().appendLogs(one.id, { attempt: 1, first: 3, lines: [line("late")] });
    // Nobody is there yet.
    await world.shard().appendLogs(one.id, { attempt: 3, first: 0, lines: [line("never")] });
    const logs = await world.shard().logs(one.id, { after: 0, limit: 100 });
    expect(logs?.map(({ message }) => message)).toEqual(["first", "second", "third", "late", "fourth"]);
    const seqs = logs?.map(({ seq }) => seq) ?? [];
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(new Set(seqs).size).toBe(seqs.length);
    for (const [place, seq] of seqs.entries()) {
      const rest = await world.shard().logs(one.id, { after: seq, limit: 2 });
      expect(rest?.map((entry) => entry.seq)).toEqual(seqs.slice(place + 1, place + 3));
    }
  });

  it("end with the line that says that there would be more", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    await world
      .shard()
      .appendLogs(one.id, { attempt: 1, first: 150, lines: Array.from({ length: 100 }, (_, n) => line(`${n}`)) });
    await world.shard().appendLogs(one.id, { attempt: 1, first: 5_000, lines: [line("beyond")] });
    const logs = await world.shard().logs(one.id, { after: 0, limit: 1_000 });
    expect(logs?.map(({ message }) => message)).toEqual(Array.from({ length: 51 }, (_, n) => `${n}`));
  });

  it.each(["", "two\nlines", "ümläut 🜁", "a\u0000b", '"quoted" \\ $1 ?', "'; DROP TABLE logs; --"])(
    "keep %j as it is",
    async (message) => {
      const world = new TestWorld();
      const one = item();
      await world.accept([one]);
      await world.shard().appendLogs(one.id, { attempt: 1, first: 0, lines: [line(message)] });
      expect((await world.shard().logs(one.id, { after: 0, limit: 1 }))?.[0]?.message).toBe(message);
    },
  );

  it("of nobody are nothing", async () => {
    const world = new TestWorld();
    await world.shard().appendLogs(item().id, { attempt: 1, first: 0, lines: [line("x")] });
    expect(await counts(world)).toMatchObject({ logs: 0 });
  });
});

describe("payloads and text", () => {
  it.each([
    "null",
    '"a\\u0000b"',
    '{"größe":"🜁"}',
    `"${"x".repeat(1_000_000)}"`,
    "12345678901234567890.10",
    '" \\ud800 "',
  ])("come back to the letter", async (text) => {
    const world = new TestWorld();
    const one = item({ input: { text } });
    await world.accept([one]);
    expect((await world.claims())[0]?.input).toEqual({ text });
    await world.settle([ended(one, { kind: "succeeded", output: { text }, sha256: "ab", size_bytes: 1 })]);
    expect(await world.shard().input(one.id)).toEqual({ text });
    expect(await world.shard().output(one.id)).toEqual({ text });
  });

  it("come to the attempt from the tables as they came in", async () => {
    const world = new TestWorld();
    const [small, large] = [
      item({ due: clock.now + SECOND, input: { text: '{"n":1}' } }),
      item({ due: clock.now + SECOND, input: { key: "in/x" } }),
    ];
    await world.accept([small, large]);
    await world.ringUntil(clock.now + SECOND);
    expect((await world.claims()).map(({ input, attempt, head: kept }) => ({ input, attempt, kept }))).toEqual([
      { input: { text: '{"n":1}' }, attempt: 1, kept: small.head },
      { input: { key: "in/x" }, attempt: 1, kept: large.head },
    ]);
  });

  it("of a batch go on where they stopped, in the next attempt and in a replay", async () => {
    const world = new TestWorld();
    const one = item({ head: { batch: true } });
    const good = { ok: true, output: { a: [1] } };
    const bad = { ok: false, error: { code: "implementation_failed", detail: "" }, retry: { kind: "never" } };
    await world.accept([one]);
    expect(await world.shard().progress(one.id, 1, JSON.stringify({ 0: good, 12: bad }))).toBe(true);
    await world.settle([ended(one, failed)]);
    await world.ringUntil(clock.now + SECOND);
    await world.shard().progress(one.id, 2, JSON.stringify({ 3: good }));
    await world.settle([ended({ ...one, attempt: 2 }, terminal)]);
    const again = item({ head: { batch: true, replay_of: one.id } });
    await world.accept([again]);
    expect((await world.claims()).map(({ items }) => items)).toEqual([
      undefined,
      { 0: good, 12: bad },
      { 0: good, 3: good },
    ]);
  });
});

describe("replay", () => {
  it("links both, once, however often its message comes", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    await world.settle([ended(one)]);
    const [again, third] = [item({ head: { replay_of: one.id } }), item({ head: { replay_of: one.id } })];
    await world.accept([again]);
    await world.accept([again, third]);
    expect(await world.shard().find(one.id)).toMatchObject({ status: "succeeded", replayed_by: [again.id, third.id] });
    expect(await world.shard().find(again.id)).toMatchObject({ replay_of: one.id });
    const before = await world.shard().find(one.id);
    expect(before?.kept_until).toBe(new Date(clock.now + DAY).toISOString());
  });
});

async function running(world: TestWorld): Promise<string> {
  const one = item();
  await world.accept([one]);
  startClock();
  return one.id;
}

describe("watch() and wait()", () => {
  it("answer at once when there is news already", async () => {
    const world = new TestWorld();
    const id = await running(world);
    expect(await world.shard().watch(id, { version: 0, afterLog: 0, waitMs: 60_000 })).toMatchObject({ version: 1 });
    await world.settle([ended({ id })]);
    expect(await world.shard().wait(id, 60_000)).toMatchObject({ status: "succeeded" });
    expect(await world.shard().wait(item().id, 60_000)).toBeUndefined();
    expect(await world.shard().watch(item().id, { version: 0, afterLog: 0, waitMs: 60_000 })).toBeUndefined();
  });

  it.each<[string, (world: TestWorld, id: string) => Promise<unknown>]>([
    ["an end", (world, id) => world.settle([ended({ id })])],
    ["a failed try", (world, id) => world.settle([ended({ id }, failed)])],
    ["a cancel", async (world, id) => world.shard().cancel(id)],
    [
      "a step",
      async (world, id) => world.shard().steps(id, 1, [{ operation: "a", execution_id: "x", status: "queued" }]),
    ],
    ["a log line", async (world, id) => world.shard().appendLogs(id, { attempt: 1, first: 0, lines: [line("x")] })],
  ])("watch() answers after %s", async (_what, change) => {
    const world = new TestWorld();
    const id = await running(world);
    const first = await world.shard().watch(id, { version: 0, afterLog: 0, waitMs: 60_000 });
    const news = Promise.resolve(
      world.shard().watch(id, { version: first?.version ?? 0, afterLog: 0, waitMs: 60_000 }),
    );
    await change(world, id);
    const second = await news;
    expect(second?.version === first?.version && second?.logs.length === 0).toBe(false);
  });

  it("wait() goes on over what is no end, and answers all who wait at the end", async () => {
    const world = new TestWorld();
    const id = await running(world);
    const waits = Array.from({ length: 5 }, () => Promise.resolve(world.shard().wait(id, 60_000)));
    await world.settle([ended({ id }, failed)]);
    stopClock();
    await world.ringUntil(clock.now + SECOND);
    await world.settle([ended({ id, attempt: 2 })]);
    expect((await Promise.all(waits)).map((view) => view?.status)).toEqual(
      Array.from({ length: 5 }, () => "succeeded"),
    );
  });

  it("answer as it is when their time is over", async () => {
    const world = new TestWorld();
    const id = await running(world);
    expect(await world.shard().wait(id, 20)).toMatchObject({ status: "running" });
    expect(await world.shard().wait(id, 0)).toMatchObject({ status: "running" });
    expect(await world.shard().watch(id, { version: 1, afterLog: 0, waitMs: 20 })).toMatchObject({
      version: 1,
      logs: [],
    });
  });

  it("tells each change by a higher version", async () => {
    const world = new TestWorld();
    const one = item({ due: clock.now + SECOND });
    await world.accept([one]);
    const versions: number[] = [];
    const look = async (): Promise<void> => {
      versions.push((await world.shard().watch(one.id, { version: 0, afterLog: 0, waitMs: 0 }))?.version ?? 0);
    };
    await look();
    await world.ringUntil(clock.now + SECOND);
    await look();
    await world.settle([ended(one, failed)]);
    await look();
    await world.ringUntil(clock.now + SECOND);
    await look();
    await world.settle([ended({ ...one, attempt: 2 })]);
    await look();
    await world.accept([item({ head: { replay_of: one.id } })]);
    await look();
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
  });
});

/** Runs each statement, and asks for its plan first. */
function explaining(sql: SqlStorage, tell: (statement: string, plan: string) => void): SqlStorage {
  return {
    exec: (statement: string, ...values: SqlStorageValue[]) => {
      if (/^\s*(SELECT|UPDATE|DELETE|INSERT)/.test(statement) && !statement.includes("sqlite_master")) {
        const plan = sql.exec<{ detail: string }>(`EXPLAIN QUERY PLAN ${statement}`, ...values).toArray();
        tell(statement.replaceAll(/\s+/g, " ").trim(), plan.map(({ detail }) => detail).join("; "));
      }
      return sql.exec(statement, ...values);
    },
  } as unknown as SqlStorage;
}

describe("listings", () => {
  const OPERATIONS = ["a", "b", "c'; --"];
  const PARENTS = [null, null, "ex_00_parent1", "ex_01_parent2"];

  /** The same rows in every world: about 20 in each shard, some within the same millisecond. */
  async function filled(): Promise<{ world: TestWorld; rows: Omit<NewRow, "seq">[] }> {
    const world = new TestWorld();
    const random = randomFrom(99);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const rows: Omit<NewRow, "seq">[] = [];
    for (let n = 0; n < 320; n++) {
      const at = clock.now + Math.floor(n / 3) * 10;
      const trigger = pick(CALLER_TYPES);
      rows.push(
        record({
          id: newExecutionId(Math.floor(random() * SHARDS), at),
          operation: pick(OPERATIONS),
          status: pick(EXECUTION_STATUSES),
          trigger,
          parent: pick(PARENTS),
          head: head({ accepted_at: at, caller: { type: trigger, id: "x" } }),
        }),
      );
    }
    for (const [shard, own] of Map.groupBy(rows, ({ id }) => Number.parseInt(id.slice(3, 5), 16))) {
      await world.shard(shard).record(JSON.stringify(own));
    }
    return { world, rows };
  }

  const mixes: Partial<ExecutionQuery>[] = [];
  for (const operation of [undefined, "a", "c'; --", "nothing"]) {
    for (const status of [undefined, "succeeded", "dead"] as const) {
      for (const trigger of [undefined, "token", "execution"] as const) {
        for (const parent of [undefined, "ex_01_parent2"]) {
          for (const bounds of [{}, { since: 100, until: 900 }]) {
            mixes.push({
              ...(operation === undefined ? {} : { operation }),
              ...(status === undefined ? {} : { status }),
              ...(trigger === undefined ? {} : { trigger }),
              ...(parent === undefined ? {} : { parent }),
              ...bounds,
            });
          }
        }
      }
    }
  }

  it("give for each mix of conditions what a filter over all rows gives, without gaps or repeats over pages", async () => {
    const { world, rows } = await filled();
    const namespace = world.namespace();
    const executions = createExecutions({
      namespace,
      keeper: undefined as never,
      recorder: { unwritten: () => undefined } as never,
      payloads: undefined as never,
      registry: undefined as never,
      rateLimits: undefined as never,
    });
    const random = randomFrom(7);
    expect(mixes.length).toBe(144);
    for (const mix of mixes) {
      // A third of them page by page, the others at once.
      const limit = random() < 0.34 ? 1 + Math.floor(random() * 40) : 500;
      const start = clock.now;
      const query = {
        ...mix,
        ...(mix.since === undefined ? {} : { since: start + mix.since }),
        ...(mix.until === undefined ? {} : { until: start + mix.until }),
      };
      const wanted = rows
        .filter(
          (row) =>
            (query.operation === undefined || row.operation === query.operation) &&
            (query.status === undefined || row.status === query.status) &&
            (query.trigger === undefined || row.trigger === query.trigger) &&
            (query.parent === undefined || row.parent === query.parent) &&
            (query.since === undefined || (row.head as { accepted_at: number }).accepted_at >= query.since) &&
            (query.until === undefined || (row.head as { accepted_at: number }).accepted_at < query.until),
        )
        .map(({ id }) => id)
        .toSorted((a, b) => (a.slice(6) < b.slice(6) ? 1 : -1));
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await executions.list({ ...query, limit, ...(cursor === undefined ? {} : { cursor }) });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        if (page.next_cursor !== null) expect(page.items).toHaveLength(limit);
        found.push(...page.items.map(({ id }) => id));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect([mix, found]).toEqual([mix, wanted]);
    }
  });

  it("and everything else a shard asks its tables, go by an index, however many rows there are", async () => {
    const { world } = await filled();
    const plans = await world.inside((_, { storage }) => {
      const found: string[] = [];
      const sql = explaining(storage.sql, (statement, plan) => found.push(`${plan} <- ${statement}`));
      for (const mix of mixes) {
        listIds(sql, { ...mix, limit: 10 }, { from: firstExecutionIdAt(0, 0), before: "ex_00_~" });
      }
      const store = new Store(sql);
      store.highestSeq();
      store.running();
      store.lanesWithReady();
      store.readyIn("a", 5);
      store.countReady();
      store.countReady("a");
      store.dueBy(0, 5);
      store.nextDue();
      store.find("x");
      store.findAll(["x"]);
      store.statusesOf(["x"]);
      store.input(1);
      store.output(1);
      store.items(1);
      store.logs(1, { after: 0, limit: 1 });
      store.key("h", 0);
      store.forgetKeys(0, 10);
      store.unfinishedChildren("x");
      store.cancelled();
      store.payloadKeys([1]);
      store.change([{ seq: -1, status: "queued", ready: 0, due: null, tail: {} }]);
      store.start([-1], 0);
      store.postpone([-1], 0);
      store.remove([-1]);
      store.copyGoodItems(-1, -2);
      return found;
    });
    expect(plans.length).toBeGreaterThan(200);
    const scans = plans.filter(
      (plan) =>
        /\bSCAN (?!CONSTANT ROW|json_each|j VIRTUAL|value|pragma_table_info)/.test(plan) &&
        // Of those that are ready and of a short table there is nothing to pass over.
        !/SCAN executions USING (COVERING )?INDEX by_lane|SCAN incarnation|SCAN cancelled|SCAN \(subquery/.test(plan),
    );
    expect(scans).toEqual([]);
    const sorted = plans.filter(
      (plan) => plan.includes("TEMP B-TREE") && !plan.includes("json_each") && !plan.includes("DISTINCT"),
    );
    expect(sorted).toEqual([]);
  });
});
