/** The contract of executors: log lines that are sent while the handler still runs. */
import { describe, expect, it } from "vitest";
import { type Ask, askedBy, freshExecution, handler, type Run } from "./_executor-order.ts";

type Batch = { attempt: number; first: number; lines: { message: string }[] };

async function batchesOf(ask: Ask, execution: string): Promise<Batch[]> {
  const asked = await askedBy(ask, execution);
  for (const { method, path, headers } of asked) {
    expect([method, path]).toEqual(["POST", `/executions/${execution}/logs`]);
    expect(headers["authorization"]).toBe("Bearer the-capability");
  }
  return asked.map(({ body }) => body as Batch);
}

export function liveCases(run: Run, ask: Ask): void {
  describe("live logs", () => {
    const SLOW = handler(
      "for (let i = 0; i < 4; i++) { console.log('step ' + i); await scheduler.wait(300); } console.log('end'); return 1",
    );
    it("are sent in order, each once, and come back with the result too, whatever the receiver says", async () => {
      const execution_id = freshExecution();
      const end = await run({ code: SLOW, live: true, execution_id });
      const messages = ["step 0", "step 1", "step 2", "step 3", "end"];
      expect(end).toMatchObject({ ok: true, logs: messages.map((message) => ({ message })) });
      const batches = await batchesOf(ask, execution_id);
      expect(batches.length).toBeGreaterThan(1);
      const sent = batches.flatMap(({ first, lines }) => lines.map(({ message }, i) => [first + i, message]));
      expect(sent).toEqual(messages.slice(0, sent.length).map((message, i) => [i, message]));
      expect(sent.length).toBeGreaterThanOrEqual(3);
      expect(new Set(batches.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    });

    it.each([
      ["nobody asked for", { code: SLOW }],
      [
        "of a handler that ends soon",
        { code: handler("console.log('soon'); await scheduler.wait(20); return 1"), live: true },
      ],
      ["of a handler that says nothing", { code: handler("await scheduler.wait(500); return 1"), live: true }],
    ])("are not sent: those %s", async (_which, order) => {
      const execution_id = freshExecution();
      expect(await run({ ...order, execution_id })).toMatchObject({ ok: true });
      expect(await batchesOf(ask, execution_id)).toEqual([]);
    });

    it("go on when the code has cleared every timer", async () => {
      const execution_id = freshExecution();
      const body =
        "for (let i = 0; i < 1000; i++) clearTimeout(i); console.log('still'); await scheduler.wait(600); return 1";
      expect(await run({ code: handler(body), live: true, execution_id })).toMatchObject({ ok: true });
      expect(await batchesOf(ask, execution_id)).toMatchObject([{ first: 0, lines: [{ message: "still" }] }]);
    });
  });
}
