/** The contract of executors: what a handler finds in its ctx. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { InvocationResult } from "../../src/model/invocation.ts";
import { freshIsolate, handler, type Run } from "./_executor-order.ts";

const outputOf = (end: InvocationResult): unknown => (end.ok ? JSON.parse(end.output) : end.error);

export function contextCases(run: Run): void {
  describe("the context of a handler", () => {
    it("run() gives it the execution, no secrets unless granted, and a signal that rests", async () => {
      const body = `return {execution: {...ctx.execution, id: typeof ctx.execution.id}, secrets: ctx.secrets,
        frozen: [ctx.secrets, ctx.execution, ctx.execution.caller].map(Object.isFrozen), own: Object.keys(ctx),
        aborted: ctx.signal.aborted, taken: (({ call }) => typeof call)(ctx)}`;
      expect(outputOf(await run({ code: handler(body) }))).toEqual({
        execution: {
          id: "string",
          attempt: 1,
          operation: "tested",
          revision: 1,
          caller: { type: "token", id: "test" },
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
        secrets: {},
        frozen: [true, true, true],
        own: [],
        aborted: false,
        taken: "function",
      });
    });

    it("run() keeps what it says, by ctx.log and console, with levels", async () => {
      const body = `ctx.log.debug("d", {a: [1]}); ctx.log.info("i"); ctx.log.warn(1n); ctx.log.error(new Error("e").message);
        console.log("c", null, undefined); const { info } = ctx.log; info("taken"); return 1`;
      const from = Date.now();
      const { logs } = await run({ code: handler(body) });
      expect(logs.map(({ level, message }) => `${level}: ${message}`)).toEqual([
        'debug: d {"a":[1]}',
        "info: i",
        "warn: 1n",
        "error: e",
        "info: c null undefined",
        "info: taken",
      ]);
      // workerd's clock stands still while code runs, and never runs ahead.
      for (const { at_ms } of logs) expect(Math.abs(at_ms - from)).toBeLessThan(10_000);
    });

    it("run() hands over secrets, and blots them out of logs and error text", async () => {
      const secrets = { KEY: "hunter-two", LONGER: "hunter-two-and-more" };
      expect(outputOf(await run({ code: handler("return ctx.secrets"), secrets }))).toEqual(secrets);
      const body =
        "console.log('key=' + ctx.secrets.KEY, {deep: ctx.secrets.LONGER}); throw new Error('bad ' + ctx.secrets.KEY)";
      const end = await run({ code: handler(body), secrets });
      expect(end).toMatchObject({
        error: { code: "implementation_failed", detail: "bad [secret KEY]" },
        logs: [{ message: 'key=[secret KEY] {"deep":"[secret LONGER]"}' }, { level: "error" }],
      });
      expect(JSON.stringify(end)).not.toContain("hunter-two");
    });

    it("run() caps log lines, in number and length, and says so", async () => {
      const { logs } = await run({
        code: handler("for (let i = 0; i < 1000; i++) console.log('y'.repeat(10000)); return 1"),
      });
      expect(logs).toHaveLength(LIMITS.logLines + 1);
      expect(logs[0]?.message.length).toBeLessThan(LIMITS.logLineChars + 50);
      expect(logs.at(-1)?.message).toContain("further lines were dropped");
    });

    it("run() tells apart the console lines of calls that overlap", async () => {
      const order = {
        code: handler("for (let i = 0; i < 3; i++) { console.log(input.name); await scheduler.wait(5); } return 1"),
        isolate: freshIsolate(),
      };
      const ends = await Promise.all(["a", "b", "c"].map((name) => run(order, { name })));
      expect(ends.map((end) => end.logs.map((line) => line.message).join(""))).toEqual(["aaa", "bbb", "ccc"]);
    });

    it("ctx.call goes through the platform with the invocation's capability", async () => {
      expect(outputOf(await run({ code: handler("return ctx.call('other', {q: 1})") }))).toEqual({
        called: "/ops/other",
        with: { q: 1 },
        bearer: "Bearer the-capability",
      });
    });

    it("ctx.call throws the platform's problem as an error with its code", async () => {
      const body =
        "try { await ctx.call('missing') } catch (e) { return [e instanceof Error, e.code, e.message, e.hint] }";
      expect(outputOf(await run({ code: handler(body) }))).toEqual([
        true,
        "operation_not_found",
        "Cannot find it",
        "look again",
      ]);
    });

    it("ctx.call is limited per invocation", async () => {
      const many = `let n = 0; try { for (;;) { await ctx.call("other", {}); n++ } } catch (e) { return [n, e.code] }`;
      const order = { code: handler(many), isolate: freshIsolate() };
      for (let invocation = 0; invocation < 2; invocation++)
        expect(outputOf(await run(order))).toEqual([LIMITS.callsPerInvocation, "call_limit_exceeded"]);
    });

    it("ctx.call dies with its invocation", async () => {
      const order = {
        code: "let kept; export async function handler(input, ctx) { if (!kept) { kept = ctx; return 1 } try { await kept.call('other'); return 'alive' } catch { return 'dead' } }",
        isolate: freshIsolate(),
      };
      await run(order);
      expect(outputOf(await run(order))).toBe("dead");
    });
  });
}
