/** What travels between a host and the platform as artifacts, over real connections and from real children. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseReply } from "../model/host-protocol.ts";
import { FakePlatform, moduleOrder } from "./_fake-platform.test-help.node.ts";
import { parseAllow } from "./allow.ts";
import { createHost, type Host } from "./core.node.ts";

let platform: FakePlatform;
beforeAll(async () => void (platform = await new FakePlatform().start()));
afterAll(() => platform.close());

const MAX_REPLY_BYTES = 10_000;

describe.each(["deno", "node"] as const)("artifacts on %s", (runtime) => {
  let host: Host;
  beforeAll(() => {
    const allow = parseAllow(["module", "process:*"]);
    host = createHost({ runtime, allow, slots: 2, maxReplyBytes: MAX_REPLY_BYTES, log: () => undefined });
  });
  afterAll(() => host.close());
  const run = async (code: string, more: { input?: string; platformUrl?: string | null; more?: object } = {}) =>
    parseReply(await host.run(moduleOrder({ code, platformUrl: platform.url, ...(more as object) })));

  it.each([
    ["text", "'ž'.repeat(3)", 6, "text/plain; charset=utf-8"],
    ["bytes of several pieces", "new Uint8Array(2_000_001).fill(7)", 2_000_001, ""],
    ["a stream", "new Blob(['ab', 'cd']).stream()", 4, ""],
    ["nothing", "new Uint8Array(0)", 0, ""],
  ])("a handler puts %s and gets it back", async (_what, content, size, type) => {
    const reply = await run(
      `const { artifact_id } = await ctx.artifacts.put(${content}, { name: "n" });
       const got = await ctx.artifacts.get(artifact_id);
       const bytes = await got.bytes();
       return [artifact_id, got.size_bytes, bytes.length, bytes.at(-1) ?? null];`,
    );
    expect(reply).toMatchObject({ result: { ok: true } });
    if (reply.kind !== "result" || !reply.result.ok) return;
    const [id, ...sizes] = JSON.parse(reply.result.output) as [string, ...unknown[]];
    const kept = platform.artifacts.get(id);
    expect([kept?.body.length, kept?.type]).toEqual([size, type]);
    expect(sizes).toEqual([size, size, kept?.body.at(-1) ?? null]);
    expect(platform.bearers).toEqual(new Set(["Bearer cap"]));
  });

  it.each([
    [
      "of more than 64 MiB",
      "await ctx.artifacts.put(new Uint8Array(65 * 1024 * 1024))",
      "must be at most 67108864 bytes",
    ],
    [
      "whose stream breaks",
      "await ctx.artifacts.put(new ReadableStream({ pull(c) { c.error(new Error('broke here')) } }))",
      "broke here",
    ],
    ["that is not there", "await ctx.artifacts.get('ar_none')", "Cannot find the artifact"],
  ])("an artifact %s is a failure that says so", { timeout: 30_000 }, async (_what, code, said) => {
    const kept = platform.artifacts.size;
    expect(await run(code)).toMatchObject({ result: { ok: false, error: { detail: expect.stringContaining(said) } } });
    expect(platform.artifacts.size).toBe(kept);
  });

  it("an input and a code that were too long for the order are fetched", async () => {
    platform.artifacts.set("ar_in", { body: Buffer.from('{"n":42}'), type: "" });
    const body = Buffer.from("export const handler = (input) => input.n + 1;");
    platform.artifacts.set("ar_code", { body, type: "" });
    const parts = { input_artifact: "ar_in", code_artifact: "ar_code" };
    expect(await run("", { input: "", more: parts })).toMatchObject({ result: { ok: true, output: "43" } });
    const work = { kind: "process", command: ["/bin/cat"] };
    expect(await run("", { input: "", more: { work, input_artifact: "ar_in" } })).toMatchObject({
      result: { ok: true, output: '{"n":42}' },
    });
  });

  it.each([
    ["is not there", { input_artifact: "ar_none" }, {}],
    ["is nowhere to be fetched from", { input_artifact: "ar_in" }, { platformUrl: null }],
    ["is at a platform that is away", { input_artifact: "ar_in" }, { platformUrl: "http://127.0.0.1:9" }],
  ])("an input that %s is said before anything runs", async (_what, parts, more) => {
    expect(await run("return 1", { more: parts, ...more })).toMatchObject({
      result: { ok: false, error: { code: "environment_unavailable" }, retry: { kind: "may" } },
    });
  });

  it("an output over the carrier's limit is put, one below is not", async () => {
    const long = await run("ctx.log.info('said'); return 'x'.repeat(10_000)");
    expect(long).toMatchObject({ kind: "output_artifact", result: { logs: [{ message: "said" }] } });
    if (long.kind === "output_artifact") expect(platform.artifacts.get(long.id)?.body.length).toBe(10_002);
    expect(await run("return 'x'.repeat(9_000)")).toMatchObject({ kind: "result", result: { ok: true } });
    // Each quote is two bytes in a JSON string, and two more in the string that holds that.
    expect(await run("return Array(2_000).fill('a')")).toMatchObject({ kind: "output_artifact" });
    expect(await run("return 'x'.repeat(10_000)", { platformUrl: null })).toMatchObject({
      result: { error: { code: "output_too_large", detail: expect.stringContaining("public address") } },
    });
  });
});
