/** The contract of executors: ctx.artifacts. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Ask, askedBy, freshExecution, handler, type Run } from "./_executor-order.ts";

const parsed = (end: Awaited<ReturnType<Run>>): unknown => (end.ok ? JSON.parse(end.output) : end.error);
const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");
const MIB = 1024 * 1024;

export function artifactCases(run: Run, ask: Ask): void {
  describe("ctx.artifacts", () => {
    const three = Buffer.alloc(3 * MIB, 7);
    it.each([
      ["a string", "'h\u00e9llo'", Buffer.from("h\u00e9llo"), "text/plain; charset=utf-8", "6"],
      ["bytes", "new Uint8Array([1, 2, 3])", Buffer.from([1, 2, 3]), null, "3"],
      ["no bytes", "new Uint8Array(0)", Buffer.alloc(0), null, "0"],
      [
        "a part of a buffer",
        "new Uint16Array(new Uint8Array([0, 1, 2, 3, 4, 5]).buffer, 2, 1)",
        Buffer.from([2, 3]),
        null,
        "2",
      ],
      ["an ArrayBuffer", "new Uint8Array([1, 2]).buffer", Buffer.from([1, 2]), null, "2"],
      ["many bytes", `new Uint8Array(${3 * MIB}).fill(7)`, three, null, String(3 * MIB)],
      ["a Blob", "new Blob(['ab', 'c'], {type: 'text/csv'})", Buffer.from("abc"), "text/csv", "3"],
      ["the body of a response", "new Response('abc').body", Buffer.from("abc"), null, ""],
      [
        "a stream that the code feeds",
        "new ReadableStream({ i: 0, async pull(c) { await scheduler.wait(1); if (this.i++ < 3) c.enqueue(new TextEncoder().encode('x' + this.i)); else c.close() } })",
        Buffer.from("x1x2x3"),
        null,
        "",
      ],
    ])("put() keeps %s", async (_what, content, bytes, type, length) => {
      const execution_id = freshExecution();
      const body = `const put = await ctx.artifacts.put(${content}); const got = await ctx.artifacts.get(put.artifact_id);
        return {put, got: [got.content_type, got.size_bytes, (await got.bytes()).length], frozen: [ctx.artifacts, got].map(Object.isFrozen)}`;
      expect(parsed(await run({ code: handler(body), execution_id }))).toEqual({
        put: { artifact_id: expect.stringMatching(/^ar_/), sha256: sha256(bytes), size_bytes: bytes.length },
        got: [type ?? "application/octet-stream", bytes.length, bytes.length],
        frozen: [true, true],
      });
      const [asked] = await askedBy(ask, execution_id);
      expect(asked).toMatchObject({
        method: "POST",
        path: `/executions/${execution_id}/artifacts${type === null ? "" : `?${new URLSearchParams({ content_type: type }).toString()}`}`,
        // Within one process nothing is counted.
        headers: {
          authorization: "Bearer the-capability",
          "content-length": expect.stringMatching(new RegExp(`^(${length})?$`)),
        },
      });
    });

    it("put() passes on a name and a content type", async () => {
      const execution_id = freshExecution();
      const body = `const { put } = ctx.artifacts; await put("a,b", {name: "a b&c.csv", content_type: "text/csv"}); return 1`;
      expect(parsed(await run({ code: handler(body), execution_id }))).toBe(1);
      const [asked] = await askedBy(ask, execution_id);
      expect(Object.fromEntries(new URL(`http://x${asked?.path}`).searchParams)).toEqual({
        name: "a b&c.csv",
        content_type: "text/csv",
      });
    });

    it("put() of a long stream does not keep it in memory", async () => {
      const body = `let i = 0; const piece = new Uint8Array(1024 * 1024).fill(7);
        const { size_bytes } = await ctx.artifacts.put(new ReadableStream({ pull(c) { if (i++ < 256) c.enqueue(piece); else c.close() } })); return size_bytes`;
      expect(parsed(await run({ code: handler(body), timeout_ms: 25_000 }))).toBe(256 * MIB);
    }, 30_000);

    it("get() gives the content as text, JSON, bytes or a stream", async () => {
      const body = `const { artifact_id: id } = await ctx.artifacts.put('{"a": 1}'); const { get } = ctx.artifacts;
        const pieces = []; for await (const piece of (await get(id)).stream()) pieces.push(...piece);
        return [await (await get(id)).text(), await (await get(id)).json(), [...await (await get(id)).bytes()].length, new TextDecoder().decode(new Uint8Array(pieces))]`;
      expect(parsed(await run({ code: handler(body) }))).toEqual(['{"a": 1}', { a: 1 }, 8, '{"a": 1}']);
    });

    it.each([
      ["get() of what is not there", "ctx.artifacts.get('ar_00_none')", "entity_not_found"],
      ["get() of no id", "ctx.artifacts.get({})", "bad_request"],
      ["put() of something else", "ctx.artifacts.put({a: 1})", "bad_request"],
      ["put() of nothing", "ctx.artifacts.put()", "bad_request"],
      ["put() under a name that is none", "ctx.artifacts.put('x', {name: 1})", "bad_request"],
    ])("%s rejects with a code", async (_what, asking, code) => {
      const body = `return ${asking}.then(() => "kept", (e) => [e instanceof Error, e.code])`;
      expect(parsed(await run({ code: handler(body) }))).toEqual([true, code]);
    });

    it.each([
      ["at once", "c.error(new Error('torn'))"],
      ["later", "await scheduler.wait(30); c.error(new Error('torn'))"],
    ])("put() rejects with the stream's own error when that breaks %s", async (_when, breaks) => {
      const body = `let i = 0; const torn = new ReadableStream({ async pull(c) { if (i++ === 0) return c.enqueue(new Uint8Array(10)); ${breaks} } });
        return ctx.artifacts.put(torn).then(() => "kept", (e) => e.message)`;
      expect(parsed(await run({ code: handler(body) }))).toBe("torn");
    });
  });
}
