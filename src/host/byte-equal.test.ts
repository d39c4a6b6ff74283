/**
 * The same bytes wherever it runs: the examples, and the ways in which a handler fails, in workerd, on Deno and on Node. Two
 * examples reach out and are left to test/e2e: greet.ts calls an operation (host-http.test.ts), site-status.ts a site.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { buildModule } from "../../cli/build/build-module.ts";
import { packageFolder } from "../../cli/build/workers.ts";
import { PUBLIC_ONLY, startLoaderEdge, type LoaderEdge } from "../../test/contracts/_executor-edges.ts";
import { runnerOf } from "../../test/contracts/_executor-order.ts";
import { joinFrame } from "../model/frame.ts";
import { HOST_PROTOCOL, parseReply, type HostOrder } from "../model/host-protocol.ts";
import type { InvocationResult } from "../model/invocation.ts";
import { parseAllow } from "./allow.ts";
import { createHost, type Host } from "./core.node.ts";

// Compilers on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const SECRETS = { signing_key: "k3y-of-the-example" };
const EXAMPLES: readonly [string, unknown][] = [
  ["echo.ts#echo", { input_str: "hi ä\u2028" }],
  ["echo.ts#echo2", { input_str: "hi" }],
  ["shout.ts#shout", { output_str: "straße" }],
  ["word-count.ts#wordCount", { text: "The cat and the dog and THE bird", top: 2 }],
  ["slow-demo.ts#slowDemo", { n: 2, step_ms: 1 }],
  ["price.ts#price", { net_cents: 1000, country: "CH", quantity: 3 }],
  ["sign.ts#sign", { message: "x" }],
];
const BODIES: readonly string[] = [
  "return { z: 1, a: [1.0, 1e21, -0, 0.1 + 0.2], ü: '\\u0000\\ud800' }",
  "return new Date(0)",
  "return { a: undefined, b: [] }",
  "return { a: { b: [1, undefined] } }",
  "return NaN",
  "return 10n",
  "const a = {}; a.a = a; return a",
  "return () => 1",
  "return undefined",
  "return 'x'.repeat(9 * 1024 * 1024)",
  "throw new TypeError('no film')",
  "throw 'a text'",
  "throw Object.assign(new Error('never'), { code: 'terminal' })",
  "throw Object.assign(new Error('later'), { code: 'retry_after', after_ms: 70 })",
  "throw Object.assign(new Error('no room'), { code: 'rate_limited', after_ms: 70 })",
  "throw new Error('the key is ' + ctx.secrets.signing_key)",
  "ctx.log.info('said', { n: 1n }, ctx.secrets.signing_key); return null",
  "await new Promise((resolve) => setTimeout(resolve, 10_000))",
];

let edge: LoaderEdge;
const hosts = new Map<string, Host>();
beforeAll(async () => {
  edge = await startLoaderEdge(PUBLIC_ONLY);
  for (const runtime of ["deno", "node"] as const) {
    hosts.set(runtime, createHost({ runtime, allow: parseAllow(["module"]), slots: 2, log: () => undefined }));
  }
});
afterAll(async () => {
  for (const host of hosts.values()) await host.close();
  await edge.close();
});

let isolates = 0;
type Program = { code: string; handler: string; input: unknown; timeoutMs: number };

async function onHost(host: Host, { code, handler, input, timeoutMs }: Program): Promise<InvocationResult> {
  isolates += 1;
  const order: HostOrder = {
    protocol: HOST_PROTOCOL,
    isolate: `i${isolates}`,
    work: { kind: "module", language: "javascript" },
    platform_url: null,
    definition: { code, language: "javascript", export: handler, network: [], secrets: SECRETS },
    meta: {
      execution_id: "ex_1",
      attempt: 1,
      operation: "tested",
      revision: 1,
      caller: { type: "token", id: "t" },
      traceparent: "",
      timeout_ms: timeoutMs,
      capability: "c",
    },
  };
  const reply = parseReply(await host.run(joinFrame(order, JSON.stringify(input))));
  if (reply.kind !== "result") throw new Error(reply.kind);
  return reply.result;
}

/** Without times, and without the stack that a thrown error leaves in the log: its places are each runtime's own. */
function comparable(result: InvocationResult): unknown {
  const logs = result.logs.map(({ level, message }) => `${level} ${message.split("\n")[0] ?? ""}`);
  return result.ok ? { ...result, logs } : { ...result, logs };
}

async function expectEqual(program: Program): Promise<void> {
  const { code, handler, input, timeoutMs } = program;
  const run = runnerOf(() => edge.executor);
  const inWorkerd = comparable(await run({ code, export: handler, secrets: SECRETS, timeout_ms: timeoutMs }, input));
  for (const [runtime, host] of hosts) {
    expect({ runtime, ...(comparable(await onHost(host, program)) as object) }).toEqual({
      runtime,
      ...(inWorkerd as object),
    });
  }
}

it.each(EXAMPLES)("examples/%s answers the same bytes in workerd, on Deno and on Node", async (name, input) => {
  const [file = "", handler = ""] = name.split("#");
  const { bundle } = await buildModule(path.join(packageFolder(), "examples", file), handler);
  await expectEqual({ code: bundle.code, handler, input, timeoutMs: 20_000 });
});

it.each(BODIES)("a handler that does `%s` comes to the same in workerd, on Deno and on Node", async (body) => {
  const code = `export async function handler(input, ctx) { ${body} }`;
  await expectEqual({ code, handler: "handler", input: {}, timeoutMs: body.includes("10_000") ? 300 : 20_000 });
});

it("leaves out only the examples that reach out", () => {
  const reaching = ["greet.ts", "site-status.ts"];
  for (const file of reaching) {
    expect(readFileSync(path.join(packageFolder(), "examples", file), "utf8")).toMatch(/ctx\.call|fetch\(/);
  }
});
