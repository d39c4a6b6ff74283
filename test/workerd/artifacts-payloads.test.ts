/** Inputs and outputs that are too large for a row. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { inputKey, isLargePayload, outputKey, PayloadStore } from "../../src/executions/artifacts/payload-store.ts";
import { bindings, DAY, emptyStore, storedKeys, TestWorld } from "./_artifact-world.ts";

beforeEach(emptyStore);

const EXECUTION = "ex_01_0123456789abcdefghjkmnpqr";

function fail(): Promise<never> {
  return Promise.reject(new Error("internal error (10001)"));
}

function id(shard: number, tail: number): string {
  return `ex_0${shard}_${String(tail).padStart(25, "0")}`;
}

describe("isLargePayload()", () => {
  const limit = LIMITS.payloadInRowBytes;
  it.each<[string, string, boolean]>([
    ["as many bytes as fit", "a".repeat(limit), false],
    ["a byte more", "a".repeat(limit + 1), true],
    ["characters of two bytes that fit", "é".repeat(limit / 2), false],
    ["characters of two bytes that do not", "é".repeat(limit / 2 + 1), true],
    ["characters of three bytes that do not", "語".repeat(Math.ceil(limit / 3)), true],
    ["characters of four bytes that fit", "😀".repeat(limit / 4), false],
    ["characters of four bytes that do not", `${"😀".repeat(limit / 4)}a`, true],
    ["nothing", "", false],
  ])("counts %s in UTF-8", (_what, text, large) => {
    expect(isLargePayload(text)).toBe(large);
  });
});

describe("PayloadStore", () => {
  it("gives back what was put, until it is deleted", async () => {
    const store = new PayloadStore(bindings.ARTIFACTS);
    const [input, output] = [inputKey(EXECUTION), outputKey(EXECUTION, 3)];
    const text = JSON.stringify({ text: "größer 😀".repeat(300_000) });
    await store.put(input, text);
    await store.put(output, "null");
    expect(await storedKeys()).toEqual([`payloads/${EXECUTION}/input`, `payloads/${EXECUTION}/output.3`]);
    expect(await store.get(input)).toBe(text);
    await store.delete([input, "payloads/none/input"]);
    await expect(store.get(input)).rejects.toMatchObject({ code: "payload_lost" });
    expect(await store.get(output)).toBe("null");
  });

  it("deletes more than the store takes at once", async () => {
    const batches: number[] = [];
    const bucket = { delete: (keys: string[]) => Promise.resolve(void batches.push(keys.length)) };
    await new PayloadStore(bucket as unknown as R2Bucket).delete(Array.from({ length: 2_001 }, (_, n) => `k${n}`));
    await new PayloadStore(bucket as unknown as R2Bucket).delete([]);
    expect(batches).toEqual([1_000, 1_000, 1]);
  });

  it("says that the store fails, at each of its calls", async () => {
    const store = new PayloadStore({ put: fail, get: fail, delete: fail } as unknown as R2Bucket);
    for (const call of [() => store.put("k", "1"), () => store.get("k"), () => store.delete(["k"])]) {
      await expect(call()).rejects.toMatchObject({ code: "artifact_store_unavailable" });
    }
  });

  it("says that the store failed while the text was read", async () => {
    const object = { text: () => Promise.reject(new Error("connection lost")) };
    const store = new PayloadStore({ get: () => Promise.resolve(object) } as unknown as R2Bucket);
    await expect(store.get("k")).rejects.toMatchObject({ code: "artifact_store_unavailable" });
  });
});

async function worldWithPayloads(count: number): Promise<TestWorld> {
  const world = new TestWorld();
  // The store's own clock tells when an object came, so this world's is near it.
  world.now = Date.now();
  const keys = Array.from({ length: count }, (_, index) => inputKey(id(1, index)));
  await Promise.all(keys.map((key) => bindings.ARTIFACTS.put(key, "1")));
  return world;
}

describe("PayloadSweep", () => {
  it("takes what no row names, a day after it came, in its own shard only", async () => {
    const world = await worldWithPayloads(3);
    await bindings.ARTIFACTS.put(inputKey(id(2, 1)), "1");
    await bindings.ARTIFACTS.put(outputKey(id(1, 0), 2), "1");
    world.payloads.add(inputKey(id(1, 1)));
    world.payloads.add(outputKey(id(1, 0), 2));
    expect(await world.stub(1).sweepPayloads()).toBe(world.now + DAY);
    expect(await storedKeys()).toHaveLength(5);
    world.now += DAY + 60_000;
    expect(await world.stub(1).sweepPayloads()).toBe(world.now + DAY);
    const left = [outputKey(id(1, 0), 2), inputKey(id(1, 1)), inputKey(id(2, 1))];
    expect(await storedKeys()).toEqual(left);
  });

  it("leaves what has just come: its row may be on its way", async () => {
    const world = new TestWorld();
    const came = Date.now();
    // The shard is a day older than the payload, so that it looks at once.
    world.now = came - 2 * DAY;
    await world.stub(1).sweepPayloads();
    await bindings.ARTIFACTS.put(inputKey(id(1, 1)), "1");
    for (const [now, left] of [
      [came, 1],
      [came + DAY, 1],
      [came + 2 * DAY + 60_000, 0],
    ] as const) {
      world.now = now;
      expect(await world.stub(1).sweepPayloads()).toBe(now + DAY);
      expect(await storedKeys()).toHaveLength(left);
    }
  });

  it("walks over many a page at a time, and begins anew a day later", async () => {
    const world = await worldWithPayloads(501);
    await world.stub(1).sweepPayloads();
    world.now += DAY + 60_000;
    expect(await world.stub(1).sweepPayloads()).toBe(world.now);
    expect(await storedKeys()).toHaveLength(1);
    expect(await world.stub(1).sweepPayloads()).toBe(world.now + DAY);
    expect(await storedKeys()).toEqual([]);
    await bindings.ARTIFACTS.put(inputKey(id(1, 7)), "1");
    world.now += 2 * DAY;
    await world.stub(1).sweepPayloads();
    expect(await storedKeys()).toEqual([]);
  });

  it.each(["bucket list", "bucket delete"])("goes on where it was when the store failed at %s", async (call) => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const world = await worldWithPayloads(2);
    await world.stub(1).sweepPayloads();
    world.now += DAY + 60_000;
    world.failing = (what) => what === call;
    const again = await world.stub(1).sweepPayloads();
    expect(again).toBeGreaterThan(world.now);
    expect(await storedKeys()).toHaveLength(2);
    world.failing = undefined;
    world.now = again ?? 0;
    await world.stub(1).sweepPayloads();
    expect(await storedKeys()).toEqual([]);
  });
});
