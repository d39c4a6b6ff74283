/** Inputs and outputs that are too large for a row. */
import { beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { inputKey, isLargePayload, outputKey, PayloadStore } from "../../src/executions/artifacts/payload-store.ts";
import { bindings, emptyStore, storedKeys } from "./_artifact-world.ts";

beforeEach(emptyStore);

const EXECUTION = "ex_01_0123456789abcdefghjkmnpqr";

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
    const fail = (): Promise<never> => Promise.reject(new Error("internal error (10001)"));
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
