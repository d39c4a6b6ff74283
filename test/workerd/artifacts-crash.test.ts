/**
 * Artifacts when things end in the middle: every message between edge, shards and store is once not sent, and once sent
 * with its answer lost, and after it nothing more happens until a restart. Then sweeps on a clock of their own must leave
 * exactly what was acknowledged, and in the end nothing.
 */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { PART_BYTES } from "../../src/executions/artifacts/upload-content.ts";
import { setAlarm, SHARDS } from "./artifact-shard.ts";
import { bindings, DAY, emptyStore, HOUR, storedKeys, TestWorld, type Crash } from "./_artifact-world.ts";

beforeEach(async () => {
  await emptyStore();
  // The sweeps log each failure; there are many, and each is wanted.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});

const LARGE = new Uint8Array(PART_BYTES + 10).fill(7);

/** What a scenario has acknowledged: artifacts that must be there as long as their execution is. */
type Scenario = (world: TestWorld) => Promise<void>;

type Story = {
  /** Happens before, without a crash. */
  given: Scenario;
  /** Is cut off at each of its effects. */
  when: Scenario;
};

const small = "some bytes";

const STORIES: Record<string, { content: string | Uint8Array<ArrayBuffer>; story: Story }> = {
  "a small artifact is put": {
    content: small,
    story: { given: async () => undefined, when: putAs("new", small) },
  },
  "a large artifact is put": {
    content: LARGE,
    story: { given: async () => undefined, when: putAs("new", LARGE) },
  },
  "bytes that are there already are put": {
    content: small,
    story: { given: putAs("old", small), when: putAs("new", small) },
  },
  "an artifact is swept": {
    content: small,
    story: {
      given: async (world) => {
        await putAs("old", small)(world);
        await end("old")(world);
      },
      when: sweepOnce,
    },
  },
  "one of two artifacts with the same bytes is swept, the one whose object it is": {
    content: small,
    story: {
      given: async (world) => {
        await putAs("old", small)(world);
        await putAs("kept", small)(world);
        await end("old")(world);
      },
      when: sweepOnce,
    },
  },
  "an upload that was left in the middle is swept": {
    content: LARGE,
    story: {
      given: async (world) => {
        world.failing = (what) => what === "edge finishArtifact" || what === "edge abandonArtifact";
        await putAs("old", LARGE)(world).catch(() => undefined);
        world.failing = undefined;
      },
      when: async (world) => {
        world.now += 2 * DAY;
        await sweepOnce(world);
      },
    },
  },
};

/** Who has put what in a world, and whether it was told so. */
const ledger = new WeakMap<TestWorld, Map<string, { execution: string; acknowledged?: string }>>();

function entriesOf(world: TestWorld): Map<string, { execution: string; acknowledged?: string }> {
  const entries = ledger.get(world) ?? new Map<string, { execution: string; acknowledged?: string }>();
  ledger.set(world, entries);
  return entries;
}

function putAs(who: string, content: string | Uint8Array<ArrayBuffer>): Scenario {
  return async (world) => {
    const entry: { execution: string; acknowledged?: string } = { execution: world.execution(who === "new" ? 1 : 2) };
    entriesOf(world).set(who, entry);
    entry.acknowledged = (await world.put(entry.execution, content)).id;
  };
}

function end(who: string): Scenario {
  return async (world) => {
    const entry = entriesOf(world).get(who);
    if (entry === undefined) throw new Error(`nobody is called ${who}`);
    await world.stub(2).deleteExecutions([entry.execution]);
    entriesOf(world).delete(who);
  };
}

async function sweepOnce(world: TestWorld): Promise<void> {
  for (let round = 0; round < 3; round++) {
    world.now += 2 * HOUR;
    for (let shard = 0; shard < SHARDS; shard++) setAlarm(world, shard, await world.stub(shard).sweep());
  }
}

async function play({ given, when }: Story, crash: Crash): Promise<{ world: TestWorld; crashed: boolean }> {
  const world = new TestWorld();
  await given(world);
  world.crashAt(crash);
  await when(world).catch(() => undefined);
  const crashed = world.restart();
  // What fails on a shard's side takes the shard with it; its edge alone leaves the alarms as they were.
  if (world.effects.at(-1)?.startsWith("peer") === true) await world.restartShards();
  return { world, crashed };
}

async function bytesOf(world: TestWorld, id: string): Promise<Uint8Array> {
  const read = await world.artifacts.read(id);
  return new Uint8Array(await new Response(read?.body).arrayBuffer());
}

describe.each(Object.entries(STORIES))("when %s", (_name, { content, story }) => {
  const expected = typeof content === "string" ? new TextEncoder().encode(content) : content;

  it.each(["before", "after"] as const)("a crash %s any step loses and leaves nothing", async (when) => {
    let steps = 0;
    for (; ; steps++) {
      await emptyStore();
      const { world, crashed } = await play(story, { at: steps, when });
      if (!crashed) break;
      await world.sweepUntil(world.now + 3 * DAY);
      const entries = [...entriesOf(world).values()];
      for (const { acknowledged } of entries) {
        if (acknowledged === undefined) continue;
        expect(await bytesOf(world, acknowledged), `crash ${when} ${world.effects.at(-1)}`).toEqual(expected);
      }
      // Whatever is listed can be read; what was not acknowledged may be there, but only whole.
      const listed = (await world.artifacts.list({ limit: 10 })).items;
      for (const { id } of listed) expect(await bytesOf(world, id)).toEqual(expected);
      expect(await storedKeys(), `crash ${when} step ${steps}`).toHaveLength(listed.length === 0 ? 0 : 1);
      for (const { execution } of entries) {
        await world.stub(Number.parseInt(execution.slice(3, 5), 16)).deleteExecutions([execution]);
      }
      await world.sweepUntil(world.now + 3 * DAY);
      expect(await storedKeys()).toEqual([]);
      expect(await world.tables()).toEqual({});
    }
    expect(steps).toBeGreaterThan(1);
  });
});

describe("a store that fails", () => {
  it.each([
    ["bucket put", small],
    ["bucket createMultipartUpload", LARGE],
    ["bucket uploadPart", LARGE],
    ["bucket complete", LARGE],
  ])("at %s is said so, and nothing of it stays", async (call, content) => {
    const world = new TestWorld();
    const execution = world.execution(1);
    world.failing = (what) => what === call;
    await expect(world.put(execution, content)).rejects.toMatchObject({ code: "artifact_store_unavailable" });
    expect((await world.artifacts.list({ limit: 10 })).items).toEqual([]);
    world.failing = undefined;
    await world.sweepUntil(world.now + HOUR);
    expect(await storedKeys()).toEqual([]);
    expect(await world.tables()).toEqual({});
  });

  it("at bucket get is said so, and reading works when it is back", async () => {
    const world = new TestWorld();
    const { id } = await world.put(world.execution(1), small);
    world.failing = (what) => what === "bucket get";
    await expect(world.artifacts.read(id)).rejects.toMatchObject({ code: "artifact_store_unavailable" });
    world.failing = undefined;
    expect(await world.text(id)).toBe(small);
  });

  it("at every call of the sweeps makes them try again later, not at once", async () => {
    const world = new TestWorld();
    const execution = world.execution(1);
    await world.put(execution, small);
    await world.stub(1).deleteExecutions([execution]);
    world.failing = (what) => what.startsWith("bucket");
    await world.sweepUntil(world.now + 1.5 * HOUR);
    const before = world.effects.length;
    for (let shard = 0; shard < SHARDS; shard++) {
      const next = await world.stub(shard).sweep();
      if (next !== undefined) expect(next).toBeGreaterThan(world.now);
    }
    expect(world.effects).toHaveLength(before);
    expect(await storedKeys()).toHaveLength(1);
    world.failing = undefined;
    await world.sweepUntil(world.now + HOUR);
    expect(await storedKeys()).toEqual([]);
  });
});

describe("a shard that does not answer", () => {
  it.each(["edge beginArtifact", "edge finishArtifact", "edge locateArtifact", "edge listArtifacts"])(
    "to %s is said so",
    async (call) => {
      const world = new TestWorld();
      const { id } = await world.put(world.execution(1), small);
      world.failing = (what) => what === call;
      const failed = await Promise.allSettled([
        world.put(world.execution(1), small),
        world.artifacts.find(id),
        world.artifacts.list({ limit: 1 }),
      ]);
      const reasons = failed.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
      expect(reasons).toEqual([expect.objectContaining({ code: "state_unavailable" })]);
    },
  );
});

describe("a clock that jumps", () => {
  it("while an artifact is being finished does not take it away", async () => {
    const world = new TestWorld();
    const execution = world.execution(1);
    const effect = world.effect.bind(world);
    // Between the claim's sending and its arrival two days pass and a sweep comes.
    world.effect = async (what, work) => {
      if (what !== "peer claimBlob") return effect(what, work);
      world.now += 2 * DAY;
      await world.stub(1).sweep();
      return work();
    };
    // Four contents, so that most of them are answered for by another shard.
    const puts: string[] = [];
    for (const content of ["a", "b", "c", "d"]) puts.push((await world.put(execution, content)).id);
    world.effect = effect;
    await world.sweepUntil(world.now + DAY);
    expect(await Promise.all(puts.map((id) => world.text(id)))).toEqual(["a", "b", "c", "d"]);
  });

  it("back leaves everything as it is", async () => {
    const world = new TestWorld();
    const { id } = await world.put(world.execution(1), small);
    world.now -= 30 * DAY;
    for (let shard = 0; shard < SHARDS; shard++) await world.stub(shard).sweep();
    expect(await world.text(id)).toBe(small);
    expect(await bindings.ARTIFACTS.list()).toMatchObject({ objects: [expect.anything()] });
  });
});
