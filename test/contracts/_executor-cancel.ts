/** The contract of executors: a call whose result nobody wants any more. */
import { expect, describe, it } from "vitest";
import { freshIsolate, handler, type Run, type RunGroup } from "./_executor-order.ts";

const HEEDS = `const aborted = ctx.signal.aborted;
  await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
  console.log("heard", aborted, ctx.signal.reason.code, ctx.signal.reason.message); throw ctx.signal.reason;`;

export function cancelCases(run: Run, runGroup: RunGroup): void {
  describe("a call that is cancelled", () => {
    it.each([
      ["in a group", false],
      ["by itself", true],
    ])(
      "run() %s answers execution_cancelled with the last words of a handler that heeds ctx.signal",
      async (_how, alone) => {
        const ends = await runGroup([
          [{ code: handler(HEEDS), cancel_after_ms: 150, alone }, {}],
          [{ code: handler("await scheduler.wait(700); return [ctx.signal.aborted]"), alone }, {}],
        ]);
        expect(ends.map(({ result }) => result)).toMatchObject([
          {
            ok: false,
            error: { code: "execution_cancelled" },
            logs: [{ message: "heard false execution_cancelled the execution was cancelled" }, { level: "error" }],
          },
          { ok: true, output: "[false]" },
        ]);
      },
    );

    it("run() answers soon when the handler does not heed ctx.signal", async () => {
      const [end] = await runGroup([[{ code: handler("await scheduler.wait(5000)"), cancel_after_ms: 50 }, {}]]);
      expect(end).toMatchObject({ result: { error: { code: "execution_cancelled" }, logs: [] } });
      expect(end?.took_ms).toBeLessThan(2_500);
    });

    it("run() tells a handler that asks for ctx.signal only after the cancel", async () => {
      const code = handler(
        "await scheduler.wait(200); console.log(ctx.signal.aborted); await scheduler.wait(20); console.log(ctx.signal.aborted)",
      );
      const [end] = await runGroup([[{ code, cancel_after_ms: 50 }, {}]]);
      expect(end?.result.logs.at(-1)?.message).toBe("true");
    });

    it("run() does not start what is cancelled already", async () => {
      const order = { code: "let ran = 0; export const handler = () => ++ran", isolate: freshIsolate() };
      const [end] = await runGroup([[{ ...order, cancel_after_ms: -1 }, {}]]);
      expect(end).toMatchObject({ result: { error: { code: "execution_cancelled" } } });
      expect(await run(order)).toMatchObject({ ok: true, output: "1" });
    });

    it("run() gives the result of a call that ends before the cancel", async () => {
      const [end] = await runGroup([[{ code: handler("return ctx.signal.aborted"), cancel_after_ms: 5_000 }, {}]]);
      expect(end).toMatchObject({ result: { ok: true, output: "false" } });
    });
  });
}
