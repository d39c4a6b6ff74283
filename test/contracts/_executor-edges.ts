/**
 * Starts what the tests of executors run on: test/workerd/executor-edge.ts in a real workerd, running isolates itself
 * or through supervised processes. `executor` is the port as seen through that edge.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { buildSync } from "esbuild";
import { Miniflare, type MiniflareOptions } from "miniflare";
import { toErrorData, toSwitchyardError } from "../../src/core/errors.ts";
import { SECRET_HEADER } from "../../src/executor/protocol.ts";
import { startExecutors, type Executors, type ExecutorLimits } from "../../src/executor/supervisor.node.ts";
import type { Executor, InvocationResult } from "../../src/model/invocation.ts";
import type { Ask } from "./_executor-order.ts";

const root = path.resolve(import.meta.dirname, "../..");
const COMPATIBILITY_DATE = "2026-07-01";

/** As every real platform has it: public addresses only. */
export const PUBLIC_ONLY = { allow: ["public"], deny: ["64:ff9b::/96"] };

export type LoaderEdge = { executor: Executor; ask: Ask; close(): Promise<void> };

/** The edge with the Worker Loader in its own process. */
export async function startLoaderEdge(network: { allow: string[]; deny?: string[] }): Promise<LoaderEdge> {
  const edge = new Miniflare({
    modules: true,
    script: bundle("test/workerd/executor-edge.ts"),
    compatibilityDate: COMPATIBILITY_DATE,
    workerLoaders: { LOADER: {} },
    outboundService: { network },
  } as MiniflareOptions);
  await edge.ready;
  return {
    executor: executorBehind((init) => edge.dispatchFetch("http://edge/run", init)),
    ask: (path, init) => edge.dispatchFetch(`http://edge${path}`, init),
    close: () => edge.dispose(),
  };
}

export type PoolEdge = {
  executor: Executor;
  ask: Ask;
  executors: Executors;
  /** The edge's URL. */
  base: string;
  /** The supervisor's state folder, removed at the end. */
  folder: string;
  close(): Promise<void>;
};

/** The edge with executor processes under a supervisor. */
export async function startPoolEdge(options: { secret: string; limits?: Partial<ExecutorLimits> }): Promise<PoolEdge> {
  const { secret, limits } = options;
  const folder = mkdtempSync(path.join(os.tmpdir(), "sy-"));
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const executors = await startExecutors({
    stateDir: folder,
    script: bundle("src/executor-process.ts"),
    edgeAddress: `127.0.0.1:${port}`,
    secret,
    ...(limits === undefined ? {} : { limits }),
    onState: (state) =>
      void fetch(`${base}/internal/executors`, {
        method: "POST",
        headers: { [SECRET_HEADER]: secret },
        body: JSON.stringify(state),
      }).catch(() => {}),
  });
  const edge = new Miniflare({
    workers: [
      {
        name: "edge",
        modules: true,
        script: bundle("test/workerd/executor-edge.ts"),
        compatibilityDate: COMPATIBILITY_DATE,
        bindings: { EXECUTOR_SECRET: secret },
        serviceBindings: {
          SUPERVISOR: external(executors.supervisorAddress),
          ...Object.fromEntries(executors.slots.map(({ name, address }) => [name, external(address)])),
        },
        unsafeDirectSockets: [{ host: "127.0.0.1", port }],
      },
    ],
  } as MiniflareOptions);
  await edge.ready;
  return {
    executor: executorBehind((init) => fetch(`${base}/run`, init)),
    ask: (path, init) => fetch(`${base}${path}`, init),
    executors,
    base,
    folder,
    async close() {
      await edge.dispose();
      await executors.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Init = { method: string; headers: Record<string, string>; body: string };

function executorBehind(send: (init: Init) => Promise<{ json(): Promise<unknown> }>): Executor {
  return {
    async run(isolate, input, meta) {
      const definition = await isolate
        .load()
        .catch((thrown: unknown) => ({ load_error: toErrorData(toSwitchyardError(thrown)) }));
      const order = { isolate: isolate.id, operation: isolate.operation, ...definition, meta };
      const response = await send({
        method: "POST",
        headers: { order: encodeURIComponent(JSON.stringify(order)) },
        body: input,
      });
      return (await response.json()) as InvocationResult;
    },
  };
}

export function bundle(entry: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [path.join(root, entry)],
    bundle: true,
    format: "esm",
    write: false,
    external: ["cloudflare:*", "node:*"],
  });
  return outputFiles.map((file) => file.text).join("");
}

const external = (address: string) => ({ external: { address, http: {} } });

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
