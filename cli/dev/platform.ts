/**
 * The whole platform on one machine, as processes that can each be lost:
 *
 *     this process          supervises, holds nothing that must last
 *     ├─ registry           the libSQL file behind libSQL's own HTTP protocol (a locked file blocks only this one)
 *     ├─ edge               workerd: routes, dispatch, Durable Objects — and none of the users' code
 *     └─ executors          workerd: the users' code, two at least, replaced when lost
 *
 * They talk over unix sockets in a folder that only the owner can enter.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { Miniflare } from "miniflare";
import { SwitchyardError } from "../../src/core/errors.ts";
import { SECRET_HEADER } from "../../src/executor/protocol.ts";
import { startExecutors } from "../../src/executor/supervisor.node.ts";
import { buildWorkers } from "../build/workers.ts";
import { assertPortFree } from "./port.ts";
import { startRegistry } from "./registry-child.ts";
import { openStateFolder } from "./state-folder.ts";

export type PlatformOptions = {
  port: number;
  /** The state folder. */
  state: string;
  /** `process`: supervised processes of their own. `inline`: in the edge's process, for measuring. */
  executor: "process" | "inline";
  /** Opens the edge's inspector (Chrome DevTools protocol) on this port. */
  inspectorPort?: number;
  /** What the runtime and the handlers print, a line at a time. */
  log: (line: string) => void;
};

export type RunningPlatform = { url: string; token: string; credentialsFile: string; close(): Promise<void> };

const COMPATIBILITY_DATE = "2026-07-01";

/** Starts everything or nothing. Throws port_in_use, state_in_use and the registry's own refusals. */
export async function startPlatform(options: PlatformOptions): Promise<RunningPlatform> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    await assertPortFree(options.port);
    const folder = await openStateFolder(options.state);
    closers.push(() => folder.release());
    // Side by side, since each takes half a second; a failure of the one still closes the other.
    const [registryStart, build] = await Promise.allSettled([
      startRegistry({ folder, log: options.log }),
      buildWorkers(),
    ]);
    if (registryStart.status === "fulfilled") closers.push(() => registryStart.value.close());
    const registry = valueOf(registryStart);
    const workers = valueOf(build);
    const url = `http://127.0.0.1:${options.port}`;
    const control = randomBytes(32).toString("hex");
    const executors =
      options.executor === "inline"
        ? undefined
        : await startExecutors({
            stateDir: folder.sockets,
            script: workers.executor,
            edgeAddress: `127.0.0.1:${options.port}`,
            secret: control,
          });
    if (executors !== undefined) closers.push(() => executors.close());
    const edge = new Miniflare({
      handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
        for (const stream of [stdout, stderr]) {
          let rest = "";
          stream.on("data", (chunk: Buffer) => {
            const lines = (rest + chunk.toString("utf8")).split("\n");
            rest = lines.pop() ?? "";
            for (const line of lines) if (line !== "") options.log(line);
          });
        }
      },
      ...(options.inspectorPort === undefined ? {} : { inspectorPort: options.inspectorPort }),
      durableObjectsPersist: path.join(folder.path, "objects"),
      workers: [
        {
          name: "switchyard",
          modules: [{ type: "ESModule", path: "worker.js", contents: workers.worker }],
          compatibilityDate: COMPATIBILITY_DATE,
          unsafeDirectSockets: [{ host: "127.0.0.1", port: options.port }],
          durableObjects: { EXECUTIONS: { className: "ExecutionShard", useSQLite: true } },
          outboundService: { network: { allow: ["public"], deny: ["64:ff9b::/96"] } },
          bindings: {
            REGISTRY_URL: "http://registry",
            REGISTRY_AUTH_TOKEN: registry.secret,
            MASTER_KEY: folder.masterKey,
            CAPABILITY_KEY: randomBytes(32).toString("hex"),
            ...(executors === undefined ? {} : { EXECUTOR_SECRET: control }),
          },
          serviceBindings: {
            REGISTRY: { external: { address: `unix:${registry.socket}`, http: {} } },
            ...(executors === undefined
              ? {}
              : Object.fromEntries(
                  [
                    ["SUPERVISOR", executors.supervisorAddress],
                    ...executors.slots.map((slot) => [slot.name, slot.address]),
                  ].map(([name, address]) => [name, { external: { address, http: {} } }]),
                )),
          },
          ...(executors === undefined ? { workerLoaders: { LOADER: {} } } : {}),
        },
      ],
    });
    closers.push(() => edge.dispose());
    await edge.ready;
    await waitForHealth(url);
    executors?.onState((state) => {
      // The edge also asks when it finds nothing where it sent a call; the news only makes it sooner.
      fetch(`${url}/internal/executors`, {
        method: "POST",
        headers: { [SECRET_HEADER]: control },
        body: JSON.stringify(state),
      }).catch(() => undefined);
    });
    writeFileSync(folder.credentialsFile, `${JSON.stringify({ url, token: registry.token }, null, 2)}\n`, {
      mode: 0o600,
    });
    return { url, token: registry.token, credentialsFile: folder.credentialsFile, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

async function waitForHealth(url: string): Promise<void> {
  const giveUpAt = Date.now() + 15_000;
  for (let last = "nothing"; ;) {
    try {
      const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
      if (response.ok) return;
      last = await response.text();
    } catch (error) {
      last = String(error);
    }
    if (Date.now() > giveUpAt)
      throw new SwitchyardError(
        "internal",
        `Cannot start the platform: ${url}/health must answer within 15 s; it said ${last}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
