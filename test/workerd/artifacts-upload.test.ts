/** Uploads in parts: how much is in memory, and what happens to a body that is too large, breaks off or never ends. */
import { beforeEach, describe, expect, it } from "vitest";
import { PART_BYTES, uploadContent, type UploadOptions } from "../../src/executions/artifacts/upload-content.ts";
import { bindings, emptyStore, HOUR, storedKeys, TestWorld } from "./_artifact-world.ts";

beforeEach(emptyStore);

const MIB = 1024 * 1024;
const CHUNK = 64 * 1024;

const OPTIONS: UploadOptions = {
  key: "artifacts/test",
  contentType: "text/plain",
  limitBytes: 100 * MIB,
  until: 1,
  now: () => 0,
  began: () => Promise.resolve(),
};

/** A body that is made as it is read. */
function lazyBody(length: number, onPull: (bytes: number) => void, failAt = Number.POSITIVE_INFINITY): ReadableStream {
  let sent = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sent >= failAt) throw new Error("the client has gone");
        if (sent >= length) {
          controller.close();
          return;
        }
        const chunk = new Uint8Array(Math.min(CHUNK, length - sent)).fill(sent % 256);
        sent += chunk.length;
        onPull(chunk.length);
        controller.enqueue(chunk);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Takes parts when told to, and knows what it has not taken yet. */
function slowBucket(onTaken: (bytes: number) => void): { bucket: R2Bucket; aborted: () => number } {
  let aborted = 0;
  const upload = {
    uploadId: "u",
    async uploadPart(partNumber: number, value: Uint8Array) {
      await scheduler.wait(5);
      onTaken(value.byteLength);
      return { partNumber, etag: "e" };
    },
    complete: () => Promise.resolve({}),
    abort: () => Promise.resolve(void aborted++),
  };
  const bucket = { createMultipartUpload: () => Promise.resolve(upload) };
  return { bucket: bucket as unknown as R2Bucket, aborted: () => aborted };
}

describe("uploadContent()", () => {
  it("holds no more than two parts of a large body", async () => {
    let held = 0;
    let most = 0;
    const { bucket } = slowBucket((bytes) => (held -= bytes));
    const body = lazyBody(60 * MIB, (bytes) => (most = Math.max(most, (held += bytes))));
    const content = await uploadContent(bucket, body, OPTIONS);
    expect(content.size_bytes).toBe(60 * MIB);
    expect(held).toBe(0);
    expect(most).toBeLessThanOrEqual(2 * PART_BYTES + CHUNK);
    // It does fill one part while another is sent.
    expect(most).toBeGreaterThan(PART_BYTES + CHUNK);
  });

  it.each([10, PART_BYTES + 10])("refuses a body above %d bytes, and keeps nothing of it", async (limitBytes) => {
    const refused = uploadContent(bindings.ARTIFACTS, lazyBody(60 * MIB, ignore), { ...OPTIONS, limitBytes });
    await expect(refused).rejects.toMatchObject({ code: "payload_too_large" });
    await expect(refused).rejects.toThrow(String(limitBytes));
    expect(await storedKeys()).toEqual([]);
  });

  it("takes a body of exactly the limit", async () => {
    const content = await uploadContent(bindings.ARTIFACTS, lazyBody(MIB, ignore), { ...OPTIONS, limitBytes: MIB });
    expect(content.size_bytes).toBe(MIB);
  });

  it("cancels the body that it refuses", async () => {
    let reason: unknown;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(CHUNK)),
      cancel: (why) => void (reason = why),
    });
    await expect(uploadContent(bindings.ARTIFACTS, body, { ...OPTIONS, limitBytes: 10 })).rejects.toThrow("at most");
    expect(reason).toMatchObject({ code: "payload_too_large" });
  });

  it.each([
    ["within the first part", MIB, 0],
    ["after some parts", 3 * PART_BYTES, 1],
  ])("says that a body broke off %s, and aborts what was begun", async (_when, failAt, aborts) => {
    const { bucket, aborted } = slowBucket(ignore);
    await expect(uploadContent(bucket, lazyBody(60 * MIB, ignore, failAt), OPTIONS)).rejects.toMatchObject({
      code: "bad_request",
    });
    expect(aborted()).toBe(aborts);
  });

  it("gives up on a body that takes too long", async () => {
    let now = 0;
    const body = lazyBody(60 * MIB, () => (now += HOUR));
    const options = { ...OPTIONS, until: 5 * HOUR, now: () => now };
    await expect(uploadContent(bindings.ARTIFACTS, body, options)).rejects.toMatchObject({ code: "timeout" });
  });

  it("takes chunks of any size", async () => {
    const sizes = [0, 1, PART_BYTES - 1, 1, 3 * PART_BYTES + 5, 0, 7];
    const rest = sizes.map((size) => new Uint8Array(size).fill(size % 251));
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = rest.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const content = await uploadContent(bindings.ARTIFACTS, body, OPTIONS);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(content.size_bytes).toBe(total);
    const stored = await bindings.ARTIFACTS.get(OPTIONS.key);
    const digest = new crypto.DigestStream("SHA-256");
    await stored?.body.pipeTo(digest);
    expect(Buffer.from(await digest.digest).toString("hex")).toBe(content.sha256);
  });
});

describe("an upload that its shard has given up", () => {
  it("stops before its first part", async () => {
    const world = new TestWorld();
    const effect = world.effect.bind(world);
    world.effect = async (what, work) => {
      if (what === "edge noteArtifactUpload") {
        world.now += 48 * HOUR;
        await world.stub(1).sweep();
      }
      return effect(what, work);
    };
    await expect(world.put(world.execution(1), new Uint8Array(PART_BYTES + 1))).rejects.toMatchObject({
      code: "bad_request",
    });
    expect(world.effects).not.toContain("bucket uploadPart");
    await world.sweepUntil(world.now + HOUR);
    expect(await world.tables()).toEqual({});
  });
});

function ignore(): void {
  // Nothing to count.
}
