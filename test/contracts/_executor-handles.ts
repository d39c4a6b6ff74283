/** The contract of executors: ctx.call of an asynchronous operation. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { type Ask, askedBy, freshExecution, handler, type Run } from "./_executor-order.ts";

const parsed = (end: Awaited<ReturnType<Run>>): unknown => (end.ok ? JSON.parse(end.output) : end.error);
let laters = 0;
const later = () => `later${laters++}`;

export function handleCases(run: Run, ask: Ask): void {
  describe("ctx.call of an asynchronous operation", () => {
    it("gives a handle whose result() waits until the execution has ended", async () => {
      const [execution_id, name] = [freshExecution(), later()];
      const body = `const handle = await ctx.call(input.name, {q: 1}, {idempotency_key: 'a"b', delay_ms: 20});
        return [handle.execution_id, Object.keys(handle), Object.isFrozen(handle), await handle.result()]`;
      expect(parsed(await run({ code: handler(body), execution_id }, { name }))).toEqual([
        `ex_00_${name}`,
        ["execution_id", "result", "cancel"],
        true,
        { done: `ex_00_${name}` },
      ]);
      const asked = await askedBy(ask, execution_id);
      const waits = { method: "GET", path: `/executions/ex_00_${name}/output` };
      expect(asked).toMatchObject([
        { method: "POST", path: `/ops/${name}?delay_ms=20`, body: { q: 1 } },
        waits,
        waits,
        waits,
      ]);
      expect(asked.map(({ headers }) => headers["idempotency-key"])).toEqual([String.raw`"a\"b"`, "", "", ""]);
      expect(asked.map(({ headers }) => headers["prefer"])).toEqual(["", "wait=60", "wait=60", "wait=60"]);
      expect(new Set(asked.map(({ headers }) => headers["authorization"]))).toEqual(new Set(["Bearer the-capability"]));
    });

    it("result() rejects with the execution's own error, cancel() with the platform's", async () => {
      const body = `const handle = await ctx.call("later-fails"); const seen = [];
        for (const name of ["result", "cancel"]) try { await handle[name]() } catch (e) { seen.push([e instanceof Error, e.code, e.message]) }
        return seen`;
      expect(parsed(await run({ code: handler(body) }))).toEqual([
        [true, "implementation_failed", "boo"],
        [true, "execution_final", "Cannot find it"],
      ]);
    });

    it("cancel() cancels that execution", async () => {
      const execution_id = freshExecution();
      const body = `return [await (await ctx.call("later-x")).cancel()].map((answer) => typeof answer)`;
      expect(parsed(await run({ code: handler(body), execution_id }))).toEqual(["undefined"]);
      expect((await askedBy(ask, execution_id)).at(-1)).toMatchObject({
        method: "POST",
        path: "/executions/ex_00_later-x/cancel",
      });
    });

    it("data that looks like a handle is data, also when the code has patched Object.prototype", async () => {
      const body = `Object.prototype.accepted = "ex_00_y"; const answer = await ctx.call("looks-like-one"); delete Object.prototype.accepted; return answer`;
      expect(parsed(await run({ code: handler(body) }))).toEqual({
        execution_id: "ex_00_x",
        accepted: "ex_00_x",
        ok: true,
      });
    });

    it("waiting costs no calls", async () => {
      const body = `const handles = []; for (let i = 0; i < ${LIMITS.callsPerInvocation}; i++) handles.push(await ctx.call("later-many"));
        const ends = await Promise.all(handles.map((handle) => handle.result()));
        return [ends.length, await ctx.call("other").catch((e) => e.code)]`;
      expect(parsed(await run({ code: handler(body) }))).toEqual([LIMITS.callsPerInvocation, "call_limit_exceeded"]);
    });

    it.each([
      ["an empty key", "{idempotency_key: ''}"],
      ["a key with a line end", "{idempotency_key: 'a\\nb'}"],
      ["a delay that is no whole number", "{delay_ms: 0.5}"],
      ["an option that is none", "{delay: 1}"],
    ])("refuses %s", async (_what, options) => {
      const body = `return ctx.call("later", {}, ${options}).catch((e) => e.code)`;
      expect(parsed(await run({ code: handler(body) }))).toBe("bad_request");
    });
  });
}
