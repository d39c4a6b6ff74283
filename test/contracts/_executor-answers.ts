/** The contract of executors: what a handler gets and what comes back of it. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { freshIsolate, handler, type Run } from "./_executor-order.ts";

export function answerCases(run: Run): void {
  describe("the answer of a handler", () => {
    it.each([
      ["null", "return null", "null"],
      [
        "an object, dropping undefined properties",
        "return {a: 1, b: undefined, c: [true, 'x']}",
        '{"a":1,"c":[true,"x"]}',
      ],
      ["what toJSON says", "return {at: new Date(0)}", '{"at":"1970-01-01T00:00:00.000Z"}'],
      ["an instance of a class", "class P { x = 1 } return new P()", '{"x":1}'],
      ["an object without a prototype", "return Object.assign(Object.create(null), {x: 1})", '{"x":1}'],
      ["the same object twice", "const o = {x: 1}; return [o, o]", '[{"x":1},{"x":1}]'],
      ["a promise's value", "return Promise.resolve({x: 1})", '{"x":1}'],
      ["what comes after a while", "await scheduler.wait(20); return 'late'", '"late"'],
    ])("run() takes %s", async (_what, body, output) => {
      expect(await run({ code: handler(body) })).toEqual({ ok: true, output, logs: [] });
    });

    it.each([
      ["a function that answers at once", "export function handler(input) { return input }"],
      ["an async function", "export async function handler(input) { return input }"],
      ["an arrow in a constant", "export const handler = (input) => input"],
      ["a function that another one made", "const made = () => (input) => input; export const handler = made()"],
    ])("run() takes a handler that is %s", async (_what, code) => {
      expect(await run({ code }, { n: 1 })).toEqual({ ok: true, output: '{"n":1}', logs: [] });
    });

    it("run() runs the export that the definition names", async () => {
      const code = "export const one = () => 1; export const two = () => 2; export default () => 3";
      const ends = await Promise.all(["two", "one", "default"].map((name) => run({ code, export: name })));
      expect(ends.map((end) => end.ok && end.output)).toEqual(["2", "1", "3"]);
    });

    it.each([
      ["line ends and quotes", { text: 'one\ntwo\r\n"three"\u2028\u0000' }],
      ["text beyond ASCII", { schlüssel: "日本語 🚂 \ud83d" }],
      ["a bare value", 0.1],
      ["a long value", "é".repeat(1_000_000)],
    ])("run() carries %s there and back", async (_what, value) => {
      const end = await run({ code: handler("return input") }, value);
      expect(end.ok && JSON.parse(end.output)).toEqual(value);
    });

    const deep = "let v = 1; for (let i = 0; i < DEPTH; i++) v = [v]; return v";
    const tooDeep = `is nested more than ${LIMITS.jsonDepth} levels deep`;
    it.each([
      ["undefined", "return undefined", "", "is undefined"],
      ["a BigInt", "return {a: [1n]}", "/a/0", "is a BigInt"],
      ["a function", "return {f() {}}", "/f", "is a function"],
      ["a symbol", "return [Symbol('s')]", "/0", "is a symbol"],
      ["NaN", "return {'a/b~c': NaN}", "/a~1b~0c", "is the number NaN"],
      ["Infinity", "return [0, -Infinity]", "/1", "is the number -Infinity"],
      ["a Map", "return {m: new Map()}", "/m", "is a Map"],
      ["a Set", "return new Set()", "", "is a Set"],
      ["bytes", "return new Uint8Array(3)", "", "is a Uint8Array"],
      ["a promise inside", "return {p: Promise.resolve(1)}", "/p", "is a Promise that was not awaited"],
      ["a hole", "return [1,,2]", "/1", "is undefined"],
      ["itself", "const a = {}; a.b = [a]; return a", "/b/0", "is a value that contains itself"],
      ["too deep a nest", deep.replace("DEPTH", String(LIMITS.jsonDepth + 1)), "/0".repeat(LIMITS.jsonDepth), tooDeep],
      ["200,000 levels", deep.replace("DEPTH", "200000"), "/0".repeat(LIMITS.jsonDepth), tooDeep],
    ])("run() answers output_not_json for %s, with the place", async (_what, body, pointer, detail) => {
      expect(await run({ code: handler(body) })).toMatchObject({
        ok: false,
        error: { code: "output_not_json", errors: [{ pointer, detail }] },
      });
    });

    it("run() answers output_too_large above the limit, counted in bytes", async () => {
      const characters = Math.floor(LIMITS.jsonBytes / 2);
      expect(await run({ code: handler(`return "é".repeat(${characters})`) })).toMatchObject({
        error: { code: "output_too_large", detail: expect.stringContaining(String(characters * 2 + 2)) },
      });
      expect(await run({ code: handler(`return "é".repeat(${characters - 1})`) })).toMatchObject({ ok: true });
    });

    it("run() gives each of many calls at once its own answer", async () => {
      const names = Array.from({ length: 8 }, freshIsolate);
      const code = handler("await scheduler.wait(input % 7); return [input, ctx.execution.id]");
      const ends = await Promise.all(
        Array.from({ length: 240 }, (_, n) => run({ code, isolate: names[n % names.length] ?? "" }, n)),
      );
      const answers = ends.map((end) => (end.ok ? (JSON.parse(end.output) as [number, string]) : end.error));
      expect(answers.map((answer) => Array.isArray(answer) && answer[0])).toEqual(ends.map((_, n) => n));
      expect(new Set(answers.map((answer) => Array.isArray(answer) && answer[1])).size).toBe(ends.length);
    });
  });
}
