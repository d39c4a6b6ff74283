/** The host on its two runtimes: what handlers come to, and the walls around them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOST_PROTOCOL, NEED_REPLY, parseReply } from "../model/host-protocol.ts";
import { parseAllow } from "./allow.ts";
import { createHost, type Host } from "./core.node.ts";

let count = 0;
const order = (code: string, input: unknown, timeoutMs: number, isolate: string, secrets = {}) => {
  const meta = {
    execution_id: "ex_1",
    attempt: 1,
    operation: "tested",
    revision: 1,
    caller: { type: "token", id: "t" },
    traceparent: "",
    timeout_ms: timeoutMs,
    capability: "cap",
  };
  const definition = { code, language: "javascript", export: "handler", network: [], secrets };
  const head = {
    protocol: HOST_PROTOCOL,
    isolate,
    work: { kind: "module", language: "javascript" },
    meta,
    platform_url: null,
    definition,
  };
  return `${JSON.stringify(head)}\n${JSON.stringify(input)}`;
};

describe.each(["deno", "node"] as const)("the host on %s", (runtime) => {
  let host: Host;
  beforeAll(() => void (host = createHost({ runtime, allow: parseAllow(["module"]), slots: 2, log: () => undefined })));
  afterAll(() => host.close());
  const run = async (body: string, { timeoutMs = 8_000, isolate = `i${count++}`, secrets = {} } = {}) => {
    const code = `export async function handler(input, ctx) { ${body} }`;
    const reply = parseReply(await host.run(order(code, { n: 1 }, timeoutMs, isolate, secrets)));
    if (reply.kind !== "result") throw new Error(reply.kind);
    return reply.result;
  };

  it.each([
    ["return input", { ok: true, output: '{"n":1}' }],
    ["return NaN", { error: { code: "output_not_json" } }],
    ["return 'x'.repeat(9 * 1024 * 1024)", { error: { code: "output_too_large" } }],
    ["throw new Error('no')", { error: { code: "implementation_failed", detail: "no" } }],
    ["return await ctx.call('echo', {})", { error: { detail: expect.stringContaining("public address") } }],
    [
      "(await import('node:process')).default.stdout.write('x'.repeat(99)); await new Promise(() => {})",
      { error: { code: "executor_lost" } },
    ],
  ])("%s", async (body, expected) => {
    expect(await run(body)).toMatchObject(expected);
  });

  it("kills an endless loop at its time-out, and the next call works", async () => {
    expect(
      await run("if (!globalThis.x) { globalThis.x = 1; for (;;) {} }", {
        timeoutMs: 1_000,
        isolate: `loop-${runtime}`,
      }),
    ).toMatchObject({ error: { code: "timeout" } });
    expect(await run("return 2", { isolate: `after-${runtime}` })).toMatchObject({ output: "2" });
  });

  it("keeps secrets out of the log", async () => {
    const { logs } = await run("ctx.log.info(ctx.secrets.k); return 1", { secrets: { k: "s3cr3t" } });
    expect(logs).toMatchObject([{ message: "[secret k]" }]);
  });

  it("asks for a definition that it does not have, and refuses another protocol", async () => {
    const text = order("", {}, 1_000, "unknown");
    const [head = ""] = text.split("\n");
    const { definition: _, ...bare } = JSON.parse(head) as Record<string, unknown>;
    expect(await host.run(`${JSON.stringify(bare)}\n{}`)).toBe(NEED_REPLY);
    expect(await host.run(`${JSON.stringify({ ...bare, protocol: 99 })}\n{}`)).toContain("host_outdated");
  });
});

describe("the walls on Deno", () => {
  const host = createHost({ runtime: "deno", allow: parseAllow(["module"]), slots: 2, log: () => undefined });
  afterAll(() => host.close());
  it.each([
    "return (await fetch('http://127.0.0.1:8080/')).status",
    "return (await import('node:fs')).readFileSync('/etc/hostname', 'utf8')",
    "return (await import('node:child_process')).execSync('id').toString()",
    "return Object.keys((await import('node:process')).default.env)",
    "await import('file:///etc/passwd', { with: { type: 'text' } }); return 1",
    "await import('https://example.com/x.js'); return 1",
    "await import('node:worker_threads'); return 1",
    "return Deno.readTextFileSync('/etc/hostname')",
    "new Worker('data:text/javascript,1', { type: 'module' }); return 1",
  ])("denies: %s", async (body) => {
    const code = `export async function handler() { ${body} }`;
    const reply = parseReply(await host.run(order(code, {}, 8_000, `w${count++}`)));
    expect(reply).toMatchObject({ result: { ok: false, error: { code: "implementation_failed" } } });
  });
});
