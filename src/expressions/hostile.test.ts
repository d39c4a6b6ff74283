import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOSTILE } from "./_hostile.test-util.ts";

describe("evaluate(), on expressions that mean harm,", () => {
  let thread: Worker;

  beforeAll(() => {
    // With more than this alive at once, the thread is ended and the test with it.
    thread = new Worker(new URL("_hostile-worker.node.ts", import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 84, maxYoungGenerationSizeMb: 16 },
    });
  });

  afterAll(async () => {
    await thread.terminate();
  });

  it.each(HOSTILE.map((hostile, index) => [hostile.name, index, hostile.code] as const))(
    "ends %s within a second and 100 MB",
    async (_name, index, code) => {
      thread.postMessage(index, []);
      const [answer] = (await once(thread, "message")) as [{ code: string; message: string; ms: number }];
      expect(answer).toMatchObject({ code });
      expect(answer.ms).toBeLessThan(1_000);
    },
    // The second is one of its own; others may have the processor meanwhile.
    30_000,
  );
});
