/** The contract of executors: each way to fail, its code, and what it says about trying again. */
import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../../src/core/errors.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { freshIsolate, handler, type Run } from "./_executor-order.ts";

const failToLoad = () => Promise.reject(new SwitchyardError("secret_unavailable", "Cannot open it"));
const thrown = (properties: string) => handler(`throw Object.assign(new Error("no"), ${properties})`);

export function failureCases(run: Run): void {
  describe("a handler that fails", () => {
    it.each([
      ["an Error", "throw new Error('boo')", "boo"],
      ["its class", "throw new RangeError('boo')", "RangeError: boo"],
      ["null", "throw null", "null"],
      ["undefined", "throw undefined", "undefined"],
      ["a string", "throw 'just text'", "just text"],
      ["an object", "throw {a: 1}", '{"a":1}'],
      ["a rejection", "return Promise.reject(new Error('boo'))", "boo"],
      [
        "getters that throw",
        "throw {get message() { throw 1 }, get code() { throw 2 }, get name() { throw 3 }, toJSON() { throw 4 }}",
        "a value that cannot be shown",
      ],
      [
        "a revoked proxy",
        "const p = Proxy.revocable({}, {}); p.revoke(); throw p.proxy",
        "a value that cannot be shown",
      ],
    ])("run() answers implementation_failed with %s", async (_what, body, detail) => {
      expect(await run({ code: handler(body) })).toMatchObject({
        ok: false,
        error: { code: "implementation_failed", detail },
        retry: { kind: "may" },
      });
    });

    it.each([
      ["nothing", "{}", { kind: "may" }],
      ["terminal", "{code: 'terminal'}", { kind: "never" }],
      ["retry_after", "{code: 'retry_after', after_ms: 1500}", { kind: "after", after_ms: 1500 }],
      ["retry_after without a number", "{code: 'retry_after', after_ms: 'x'}", { kind: "may" }],
      ["retry_after in the past", "{code: 'retry_after', after_ms: -1}", { kind: "may" }],
      ["a code of the platform's", "{code: 'unauthenticated'}", { kind: "may" }],
    ])("run() passes on what the error says about trying again: %s", async (_what, properties, retry) => {
      const end = await run({ code: thrown(properties) });
      expect(end).toMatchObject({ error: { code: "implementation_failed", detail: "no" } });
      expect(end).toHaveProperty("retry", retry);
    });

    it("run() cuts a huge message", async () => {
      const end = await run({ code: handler("throw new Error('x'.repeat(10_000_000))") });
      expect(end).toMatchObject({ ok: false, error: { code: "implementation_failed" } });
      expect(end.ok ? 0 : end.error.detail.length).toBeLessThan(LIMITS.logLineChars + 100);
    });

    it.each([
      ["does not parse", "export function handler( {", "Unexpected"],
      ["throws while loading", "throw new TypeError('no luck')", "TypeError: no luck"],
      ["imports what is not there", "import './other.js'; export const handler = () => 1", "other.js"],
      ["imports a Node built-in", "import fs from 'node:fs'; export const handler = () => fs", "node:fs"],
      ["lacks the export", "export const other = 1", "is missing"],
      ["exports something else", "export const handler = {}", "of type object"],
    ])("run() answers module_invalid when the module %s, each time", async (_what, code, part) => {
      const order = { code, isolate: freshIsolate() };
      const expected = { ok: false, error: { code: "module_invalid", detail: expect.stringContaining(part) } };
      expect(await run(order)).toMatchObject(expected);
      expect(await run(order)).toMatchObject(expected);
    });

    it("run() answers with the code that load() failed with, to all who waited, and tries again for the next", async () => {
      const order = { code: handler("return 1"), isolate: freshIsolate() };
      for (let round = 0; round < 2; round++) {
        const ends = await Promise.all([1, 2, 3].map(() => run({ ...order, load: failToLoad })));
        expect(ends).toEqual(
          ends.map(() => ({
            ok: false,
            error: { code: "secret_unavailable", detail: "Cannot open it" },
            retry: { kind: "may" },
            logs: [],
          })),
        );
      }
      for (let round = 0; round < 2; round++) {
        const ends = await Promise.all([1, 2, 3].map(() => run(order)));
        expect(ends).toEqual(ends.map(() => ({ ok: true, output: "1", logs: [] })));
      }
    });

    it("run() answers timeout for a promise that never settles, aborts ctx.signal, and the isolate lives on", async () => {
      const isolate = freshIsolate();
      const code =
        "let aborted = 0; export async function handler(input, ctx) { if (input.count) return aborted; ctx.signal.addEventListener('abort', () => aborted++); console.log('began'); await new Promise(() => {}); }";
      expect(await run({ code, isolate, timeout_ms: 100 })).toMatchObject({
        ok: false,
        error: { code: "timeout", detail: expect.stringContaining("100 ms") },
        retry: { kind: "may" },
        logs: [{ level: "info", message: "began" }],
      });
      expect(await run({ code, isolate }, { count: true })).toMatchObject({ ok: true, output: "1" });
    });

    it("run() answers timeout even when the code has cleared every timer", async () => {
      const body = "for (let i = 0; i < 1000; i++) clearTimeout(i); await new Promise(() => {})";
      expect(await run({ code: handler(body), timeout_ms: 100 })).toMatchObject({
        ok: false,
        error: { code: "timeout" },
      });
    });
  });
}
