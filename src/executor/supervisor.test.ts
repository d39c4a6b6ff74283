/** The supervisor, its processes and the pool, on real workerd processes behind a small edge. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { buildSync } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InvocationResult } from "../model/invocation.ts";
import { SECRET_HEADER } from "./protocol.ts";
import { type Executors, startExecutors } from "./supervisor.node.ts";

const MIB = 1024 * 1024;
const SECRET = "test-secret";
const root = path.resolve(import.meta.dirname, "../..");

let folder: string;
let executors: Executors;
let edge: Miniflare;
let base: string;

type Order = { operation: string; code: string; network?: string[]; timeout_ms?: number; isolate?: string };

async function call(order: Order, input: unknown = {}): Promise<InvocationResult & { ms: number }> {
  const from = performance.now();
  const response = await fetch(`${base}/run`, {
    method: "POST",
    headers: { order: encodeURIComponent(JSON.stringify(order)) },
    body: JSON.stringify(input),
  });
  return { ...((await response.json()) as InvocationResult), ms: performance.now() - from };
}

const code = (body: string) => `export async function handler(input, ctx) { ${body} }`;
const echo: Order = { operation: "echo", code: code("return input") };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const codeOf = (result: InvocationResult) => (result.ok ? "ok" : result.error.code);
const activeSlot = () => executors.report()[executors.state().active ?? -1]!;

async function until(what: string, check: () => boolean, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > end)
      throw new Error(`${what}: not within ${withinMs} ms; ${JSON.stringify([executors.state(), executors.report()])}`);
    await sleep(20);
  }
}
const settled = () =>
  until(
    "two ready processes",
    () => executors.report().filter((slot) => slot.slot < 2 && slot.status === "ready").length === 2,
  );

function bundle(entry: string): string {
  return buildSync({
    entryPoints: [path.join(root, entry)],
    bundle: true,
    format: "esm",
    write: false,
    external: ["cloudflare:*", "node:*"],
  }).outputFiles[0]!.text;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "sy-"));
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  executors = await startExecutors({
    stateDir: folder,
    script: bundle("src/executor-process.ts"),
    edgeAddress: `127.0.0.1:${port}`,
    secret: SECRET,
    limits: { ceilingBytes: 700 * MIB, drainAtBytes: 450 * MIB },
    onState: (state) =>
      void fetch(`${base}/internal/executors`, {
        method: "POST",
        headers: { [SECRET_HEADER]: SECRET },
        body: JSON.stringify(state),
      }).catch(() => {}),
  });
  const external = (address: string) => ({ external: { address, http: {} } });
  edge = new Miniflare({
    workers: [
      {
        name: "edge",
        modules: true,
        script: bundle("test/workerd/executor-edge.ts"),
        compatibilityDate: "2026-07-01",
        bindings: { EXECUTOR_SECRET: SECRET },
        serviceBindings: {
          SUPERVISOR: external(executors.supervisorAddress),
          ...Object.fromEntries(executors.slots.map(({ name, address }) => [name, external(address)])),
        },
        unsafeDirectSockets: [{ host: "127.0.0.1", port }],
      },
    ],
  } as ConstructorParameters<typeof Miniflare>[0]);
  await edge.ready;
  await settled();
}, 30_000);

afterAll(async () => {
  await edge?.dispose();
  await executors?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("PoolExecutor on supervised processes", () => {
  it("run() answers from a process of its own, and with ctx.call over the edge", async () => {
    expect(await call(echo, { a: 1 })).toMatchObject({ ok: true, output: '{"a":1}', logs: [] });
    const called = await call({ operation: "caller", code: code('return ctx.call("other", {q: 1})') });
    expect(called).toMatchObject({ ok: true });
    if (called.ok)
      expect(JSON.parse(called.output)).toEqual({
        called: "/ops/other",
        with: { q: 1 },
        bearer: "Bearer the-capability",
      });
    const missing = await call({
      operation: "caller2",
      code: code(
        'try { await ctx.call("missing") } catch (e) { return {code: e.code, hint: e.hint, error: e instanceof Error} }',
      ),
    });
    expect(missing).toMatchObject({
      ok: true,
      output: '{"code":"operation_not_found","hint":"look again","error":true}',
    });
  });
});
