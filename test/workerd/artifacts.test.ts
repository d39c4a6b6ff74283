/** Artifacts on the real runtime: what comes back, what is shared, what is listed and what the sweeps take. */
import { beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../../src/core/hash.ts";
import { outputArtifactId, shardOfContent, newArtifactId } from "../../src/executions/artifacts/artifact-ids.ts";
import { PART_BYTES } from "../../src/executions/artifacts/upload-content.ts";
import { SHARDS } from "./artifact-shard.ts";
import { bindings, DAY, emptyStore, HOUR, storedKeys, TestWorld } from "./_artifact-world.ts";

beforeEach(emptyStore);

function bytes(length: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(length);
  for (let at = 0; at < length; at += 997) content[at] = at % 251;
  return content;
}

describe("put() and read()", () => {
  it.each([0, 1, 100_000, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 20 * 1024 * 1024])(
    "gives %d bytes back, with their hash and size",
    async (length) => {
      const world = new TestWorld();
      const content = bytes(length);
      const put = await world.put(world.execution(1), content, "a file");
      expect(put).toMatchObject({ kind: "file", name: "a file", operation: "report", size_bytes: length });
      expect(put.sha256).toBe(await sha256(content));
      const read = await world.artifacts.read(put.id);
      expect(read?.view).toEqual(put);
      expect(await sha256(new Uint8Array(await new Response(read?.body).arrayBuffer()))).toBe(put.sha256);
      expect(await world.artifacts.find(put.id)).toEqual(put);
    },
  );

  it("answers nothing for what is no artifact", async () => {
    const world = new TestWorld();
    const unknown = newArtifactId(1, world.now);
    for (const id of [unknown, "", "ar_", "ex_01", newArtifactId(200, world.now), `${unknown}x`]) {
      expect(await world.artifacts.find(id)).toBeUndefined();
      expect(await world.artifacts.read(id)).toBeUndefined();
    }
  });

  it("does not show an artifact that is not finished", async () => {
    const world = new TestWorld();
    const execution = world.execution(1);
    const begun = await world.stub(1).beginArtifact({ execution, name: "n", content_type: "t" });
    if (!begun.ok) throw new Error(begun.error.detail);
    expect(await world.artifacts.find(begun.id)).toBeUndefined();
    expect((await world.artifacts.list({ limit: 10 })).items).toEqual([]);
  });

  it("reads an output as an artifact", async () => {
    const world = new TestWorld();
    const execution = world.execution(2);
    const id = outputArtifactId(execution);
    expect(await world.artifacts.find(id)).toBeUndefined();
    const text = '{"größe":1}';
    const entry = { execution_id: execution, operation: "report", created_at: world.now, sha256: await sha256(text) };
    world.outputs.push({ ...entry, size_bytes: 13, text });
    expect(await world.artifacts.find(id)).toMatchObject({ id, kind: "output", content_type: "application/json" });
    expect(await world.text(id)).toBe(text);
  });

  it.each<[string, Parameters<TestWorld["artifacts"]["put"]>[1]]>([
    ["an empty name", { name: "", contentType: "text/plain", body: new Blob(["x"]).stream() }],
    ["a media type with a line break", { name: "n", contentType: "a/b\r\nc: d", body: new Blob(["x"]).stream() }],
  ])("refuses %s", async (_what, content) => {
    const world = new TestWorld();
    await expect(world.artifacts.put(world.execution(0), content)).rejects.toMatchObject({ code: "bad_request" });
    expect(await world.tables()).toEqual({});
  });

  it("refuses an execution that nobody knows", async () => {
    const world = new TestWorld();
    const execution = world.execution(1);
    world.executions.clear();
    await expect(world.put(execution, "x")).rejects.toMatchObject({ code: "entity_not_found" });
  });

  it("says that an object was lost, or is another than was stored", async () => {
    const world = new TestWorld();
    const put = await world.put(world.execution(1), "x");
    const [key = ""] = await storedKeys();
    await bindings.ARTIFACTS.put(key, "longer");
    await expect(world.artifacts.read(put.id)).rejects.toMatchObject({ code: "payload_lost" });
    await bindings.ARTIFACTS.delete(key);
    await expect(world.artifacts.read(put.id)).rejects.toMatchObject({ code: "payload_lost" });
  });
});

describe("the same bytes", () => {
  it("are stored once for all shards, until the last artifact that uses them is gone", async () => {
    const world = new TestWorld();
    const executions = [0, 1, 2, 3, 3].map((shard) => world.execution(shard));
    const puts = await Promise.all(executions.map((execution) => world.put(execution, "shared")));
    await world.sweepUntil(world.now + HOUR);
    expect(await storedKeys()).toHaveLength(1);
    for (const [index, execution] of executions.entries()) {
      for (const put of puts.slice(index)) expect(await world.text(put.id)).toBe("shared");
      await world.stub([0, 1, 2, 3, 3][index] ?? 0).deleteExecutions([execution]);
      await world.sweepUntil(world.now + DAY);
      expect(await world.artifacts.find(puts[index]?.id ?? "")).toBeUndefined();
    }
    expect(await storedKeys()).toEqual([]);
    expect(await world.tables()).toEqual({});
  });

  it("may come again while the object they had is being deleted", async () => {
    const world = new TestWorld();
    const first = world.execution(0);
    await world.put(first, "again");
    await world.stub(0).deleteExecutions([first]);
    await world.sweepUntil(world.now + 1);
    const put = await world.put(world.execution(1), "again");
    await world.sweepUntil(world.now + 2 * DAY);
    expect(await world.text(put.id)).toBe("again");
    expect(await storedKeys()).toHaveLength(1);
  });

  it("are found by their hash, and answered for by one shard", async () => {
    const world = new TestWorld();
    const put = await world.put(world.execution(1), "where");
    const tables = await world.stub(shardOfContent(put.sha256, SHARDS)).tables();
    expect(tables).toMatchObject({ blobs: 1, blob_users: 1 });
  });
});

describe("what refers to an artifact", () => {
  it("keeps it after its own execution is gone, and no longer", async () => {
    const world = new TestWorld();
    const [maker, reader] = [world.execution(1), world.execution(2)];
    const put = await world.put(maker, "kept");
    await world.artifacts.hold(reader, [put.id]);
    expect(await world.stub(1).deleteExecutions([maker])).toEqual([maker]);
    await world.sweepUntil(world.now + 3 * DAY);
    expect(await world.text(put.id)).toBe("kept");
    await world.stub(2).deleteExecutions([reader]);
    await world.sweepUntil(world.now + DAY);
    expect(await world.artifacts.find(put.id)).toBeUndefined();
    expect(await storedKeys()).toEqual([]);
    expect(await world.tables()).toEqual({});
  });

  it("counts before its execution is known", async () => {
    const world = new TestWorld();
    const [maker, reader] = [world.execution(1), world.execution(2)];
    const put = await world.put(maker, "soon");
    world.executions.delete(reader);
    await world.artifacts.hold(reader, [put.id]);
    await world.stub(1).deleteExecutions([maker]);
    await world.sweepUntil(world.now + 30 * 60_000);
    world.executions.set(reader, { operation: "report" });
    await world.sweepUntil(world.now + 3 * DAY);
    expect(await world.text(put.id)).toBe("soon");
  });

  it("counts while its shard does not answer", async () => {
    const world = new TestWorld();
    const [maker, reader] = [world.execution(1), world.execution(2)];
    const put = await world.put(maker, "unsure");
    await world.artifacts.hold(reader, [put.id]);
    world.executions.delete(reader);
    await world.stub(1).deleteExecutions([maker]);
    world.failing = (what) => what === "peer keptExecutions";
    await world.sweepUntil(world.now + HOUR / 10);
    expect(await world.text(put.id)).toBe("unsure");
    world.failing = undefined;
    await world.sweepUntil(world.now + 2 * HOUR);
    expect(await world.artifacts.find(put.id)).toBeUndefined();
  });

  it("keeps an output and the execution that has it, with its other artifacts", async () => {
    const world = new TestWorld();
    const [maker, reader] = [world.execution(1), world.execution(2)];
    const put = await world.put(maker, "beside");
    await world.artifacts.hold(reader, [outputArtifactId(maker)]);
    await world.sweepUntil(world.now + 2 * HOUR);
    expect(await world.stub(1).deleteExecutions([maker])).toEqual([]);
    await world.sweepUntil(world.now + DAY);
    expect(await world.text(put.id)).toBe("beside");
    await world.stub(2).deleteExecutions([reader]);
    expect(await world.stub(1).deleteExecutions([maker])).toEqual([maker]);
    await world.sweepUntil(world.now + DAY);
    expect(await world.tables()).toEqual({});
  });

  it("goes in rounds when they are many", async () => {
    const world = new TestWorld();
    const maker = world.execution(1);
    const put = await world.put(maker, "popular");
    for (let reader = 0; reader < 130; reader++) await world.stub(1).holdArtifacts(world.execution(2), [put.id]);
    const last =
      [...world.executions.keys()]
        .filter((id) => id.startsWith("ex_02_"))
        .toSorted()
        .at(-1) ?? "";
    for (const id of world.executions.keys()) if (id !== last) world.executions.delete(id);
    await world.stub(1).deleteExecutions([maker]);
    await world.sweepUntil(world.now + 3 * HOUR);
    expect(await world.text(put.id)).toBe("popular");
    expect((await world.tables())["artifact_references"]).toBe(1);
    world.executions.delete(last);
    await world.sweepUntil(world.now + DAY);
    expect(await world.tables()).toEqual({});
  });

  it("is not recorded for what does not exist", async () => {
    const world = new TestWorld();
    await world.artifacts.hold(world.execution(1), [
      newArtifactId(1, world.now),
      newArtifactId(99, world.now),
      "no id",
    ]);
    expect(await world.tables()).toEqual({});
  });
});

describe("an artifact of a call without a record", () => {
  it.each([true, false])("stays if the record comes: %s", async (comes) => {
    const world = new TestWorld();
    const execution = world.execution(3);
    world.executions.clear();
    const body = new Blob(["sync"]).stream();
    const put = await world.artifacts.put(execution, { name: "n", contentType: "t/t", body, operation: "sync_op" });
    expect(put.operation).toBe("sync_op");
    if (comes) world.executions.set(execution, { operation: "sync_op" });
    await world.sweepUntil(world.now + 3 * DAY);
    expect((await world.artifacts.find(put.id)) !== undefined).toBe(comes);
    expect(await storedKeys()).toHaveLength(comes ? 1 : 0);
  });
});

describe("list()", () => {
  it("pages through all shards, files and outputs alike, newest first", async () => {
    const world = new TestWorld();
    const made: string[] = [];
    for (let index = 0; index < 11; index++) {
      world.now += 1_000;
      const execution = world.execution(index % SHARDS, index % 2 === 0 ? "even" : "odd");
      if (index % 3 === 0) {
        const entry = { execution_id: execution, operation: "even", created_at: world.now };
        world.outputs.push({ ...entry, sha256: "00", size_bytes: 2, text: "{}" });
        made.unshift(outputArtifactId(execution));
      } else {
        made.unshift((await world.put(execution, `content ${index}`)).id);
      }
    }
    for (const limit of [1, 3, 11, 50]) {
      const ids: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null;) {
        const page = await world.artifacts.list({ limit, ...(cursor === undefined ? {} : { cursor }) });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        ids.push(...page.items.map(({ id }) => id));
        cursor = page.next_cursor;
      }
      expect(ids).toEqual(made);
    }
  });

  it("finds by execution, operation and content, and by all of them", async () => {
    const world = new TestWorld();
    const [a, b] = [world.execution(0, "first"), world.execution(1, "second")];
    const one = await world.put(a, "same");
    world.now += 10;
    const two = await world.put(b, "same");
    world.now += 10;
    const three = await world.put(b, "other");
    const ids = async (query: object): Promise<string[]> =>
      (await world.artifacts.list({ limit: 10, ...query })).items.map(({ id }) => id);
    expect(await ids({})).toEqual([three.id, two.id, one.id]);
    expect(await ids({ execution: b })).toEqual([three.id, two.id]);
    expect(await ids({ operation: "first" })).toEqual([one.id]);
    expect(await ids({ sha256: one.sha256 })).toEqual([two.id, one.id]);
    expect(await ids({ sha256: one.sha256, operation: "second" })).toEqual([two.id]);
    expect(await ids({ sha256: one.sha256, execution: a, operation: "second" })).toEqual([]);
    expect(await ids({ execution: "no id" })).toEqual([]);
    await expect(ids({ cursor: "no cursor" })).rejects.toMatchObject({ code: "bad_request" });
  });

  it("reads no more rows than it answers, of many", async () => {
    const world = new TestWorld();
    const [some, other] = [world.execution(1, "busy"), world.execution(1, "rare")];
    const rows = Array.from({ length: 5_000 }, (_, index) => {
      const rare = index % 1_000 === 0;
      const id = newArtifactId(1, world.now + index);
      return { id, execution: rare ? other : some, operation: rare ? "rare" : "busy", sha256: rare ? "aa" : "bb" };
    });
    await world.stub(1).seed(rows);
    const conditions = [
      {},
      { execution: some },
      { execution: other },
      { operation: "busy" },
      { operation: "rare" },
      { sha256: "bb" },
      { sha256: "aa" },
      { operation: "rare", sha256: "bb" },
      { operation: "busy", sha256: "bb" },
    ];
    for (const condition of conditions) {
      const { items, rowsRead } = await world.stub(1).countedListing({ ...condition, limit: 20 });
      expect(rowsRead, JSON.stringify(condition)).toBeLessThanOrEqual(2 * items + 2);
    }
  });
});
