/** The contract of executors: calls that begin together under one group are still calls of their own. */
import { describe, expect, it } from "vitest";
import { freshIsolate, handler, type Run, type RunGroup } from "./_executor-order.ts";

export function groupCases(run: Run, runGroup: RunGroup): void {
  describe("a group of calls", () => {
    it("run() gives each call its own answer, of isolates known and unknown, and its own logs", async () => {
      const code = handler("console.log('at ' + input.n); return {n: input.n, id: ctx.execution.id}");
      const known = freshIsolate();
      await run({ code, isolate: known }, { n: -1 });
      const isolates = [known, freshIsolate(), freshIsolate()];
      const ends = await runGroup(
        Array.from({ length: 100 }, (_, n) => [{ code, isolate: isolates[n % 3] ?? known }, { n }] as const),
      );
      const ids = ends.map(({ result }, n) => {
        expect(result).toMatchObject({ ok: true, logs: [{ message: `at ${n}` }] });
        const { n: said, id } = JSON.parse(result.ok ? result.output : "{}") as { n: number; id: string };
        expect(said).toBe(n);
        return id;
      });
      expect(new Set(ids).size).toBe(100);
    });

    it("run() fails each call by itself", async () => {
      const failToLoad = { load_error: { code: "secret_unavailable", detail: "Cannot open it" } };
      const ends = await runGroup([
        [{ code: handler("return 1") }, {}],
        [{ code: handler("throw new Error('boo')") }, {}],
        [{ code: "export function handler( {" }, {}],
        [{ code: handler("await new Promise(() => {})"), timeout_ms: 100 }, {}],
        [{ code: handler("return 1"), ...failToLoad }, {}],
        [{ code: handler("return 2") }, {}],
      ]);
      expect(ends.map(({ result }) => (result.ok ? result.output : result.error.code))).toEqual([
        "1",
        "implementation_failed",
        "module_invalid",
        "timeout",
        "secret_unavailable",
        "2",
      ]);
    });

    it("run() carries long and odd values of many calls at once", async () => {
      const values = ["é".repeat(400_000), "1 200 5\nx\n", "日本\r\n\u2028🚂", "x".repeat(1_500_000), null, "\ufeff"];
      const code = handler("return input");
      const ends = await runGroup(values.map((value) => [{ code }, value] as const));
      expect(ends.map(({ result }) => result.ok && JSON.parse(result.output))).toEqual(values);
    });

    it("run() answers the fast ones while a slow one goes on, wherever it stands in the group", async () => {
      const fast = { code: handler("return 'fast'"), isolate: freshIsolate() };
      const slow = { code: handler("await scheduler.wait(1500); return 'slow'"), isolate: freshIsolate() };
      const ends = await runGroup([slow, fast, fast, slow, fast].map((order) => [order, {}] as const));
      expect(ends.map(({ result }) => result.ok && result.output)).toEqual(
        ["slow", "fast", "fast", "slow", "fast"].map((word) => JSON.stringify(word)),
      );
      for (const { result, took_ms: tookMs } of ends)
        if (result.ok && result.output === '"fast"') expect(tookMs).toBeLessThan(1_000);
    });
  });
}
