/** The host on its two runtimes: what handlers come to, and the walls around them. */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cancellation } from "../core/cancellation.ts";
import { HOST_PROTOCOL, NEED_REPLY, parseReply } from "../model/host-protocol.ts";
import { parseAllow } from "./allow.ts";
import { createHost, type Host } from "./core.node.ts";

let count = 0;
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const order = (
  code: string,
  input: unknown,
  timeoutMs: number,
  isolate: string,
  secrets = {},
  language: "javascript" | "python" = "javascript",
) => {
  const meta = {
    execution_id: "ex_1",
    attempt: 1,
    operation: "tested",
    revision: 1,
    caller: { type: "token", id: "t" },
    traceparent: TRACEPARENT,
    timeout_ms: timeoutMs,
    capability: "cap",
  };
  const definition = { code, language, export: "handler", network: [], secrets };
  const head = {
    protocol: HOST_PROTOCOL,
    isolate,
    work: { kind: "module", language },
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

  it("tells the trace", async () => {
    expect(await run("return ctx.execution.traceparent")).toMatchObject({ output: JSON.stringify(TRACEPARENT) });
  });

  it("says nothing of secrets when its process breaks down", async () => {
    const body = `console.error(ctx.secrets.k); (await import("node:process")).default.stderr.write("with " + ctx.secrets.k + "\\n");
      (await import("node:process")).default.exit(3);`;
    const result = await run(body, { secrets: { k: "s3cr3t-of-the-operation" } });
    expect(result).toMatchObject({ ok: false });
    expect(JSON.stringify(result)).not.toContain("s3cr3t-of-the-operation");
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

  it("answers execution_cancelled when nobody wants the result", async () => {
    const cancellation = new Cancellation();
    const code = "export async function handler(input, ctx) { await new Promise((r) => setTimeout(r, 30_000)) }";
    const reply = host.run(order(code, {}, 20_000, `c${count++}`), { cancellation });
    cancellation.request();
    expect(await reply).toContain('"execution_cancelled"');
  });

  it("gives each of eight calls at once its own answer", async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => run(`return ${n}`, { isolate: `many-${n}` })),
    );
    expect(answers.map((answer) => answer.ok && answer.output)).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
  });

  it("kills a process that takes too much memory", async () => {
    const hoard =
      "const all = []; for (;;) { all.push(new Uint8Array(16e6).fill(1)); await new Promise((r) => setTimeout(r, 5)); }";
    expect(await run(hoard)).toMatchObject({
      error: { code: "executor_lost", detail: expect.stringContaining("memory") },
    });
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

const hasPython = spawnSync("python3", ["--version"]).status === 0;
if (!hasPython) console.warn("SKIPPED: python3 is not installed, so the trace of Python handlers is not tested");

it.skipIf(!hasPython)("the host tells a Python handler the trace", async () => {
  const host = createHost({ runtime: "node", allow: parseAllow(["python"]), slots: 1, log: () => undefined });
  try {
    const code = "def handler(input, ctx):\n    return ctx.execution.traceparent\n";
    const reply = parseReply(await host.run(order(code, {}, 8_000, `p${count++}`, {}, "python")));
    expect(reply).toMatchObject({ result: { ok: true, output: JSON.stringify(TRACEPARENT) } });
  } finally {
    await host.close();
  }
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
