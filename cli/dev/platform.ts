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
import { chmodSync, writeFileSync } from "node:fs";
import { noteSecrets } from "../../src/core/redact.ts";
import { SECRET_HEADER } from "../../src/executor/protocol.ts";
import { startExecutors } from "../../src/executor/supervisor.node.ts";
import { buildWorkers } from "../build/workers.ts";
import { startEdge } from "./edge.ts";
import { assertPortFree } from "./port.ts";
import { startRegistry } from "./registry-child.ts";
import { openStateFolder } from "./state-folder.ts";

export type PlatformOptions = {
  port: number;
  /** The state folder. */
  state: string;
  /** `process`: supervised processes of their own. `inline`: in the edge's process, for measuring. */
  executor: "process" | "inline";
  /** Where jobs and hosts elsewhere reach the platform, through a tunnel or a proxy. */
  publicUrl?: string;
  /** METRICS and OTEL_…, as telemetry/settings.ts reads them. */
  telemetry?: Readonly<Record<string, string>>;
  /** Opens the edge's inspector (Chrome DevTools protocol) on this port. */
  inspectorPort?: number;
  /** What the runtime and the handlers print, a line at a time. */
  log: (line: string) => void;
};

export type RunningPlatform = { url: string; token: string; credentialsFile: string; close(): Promise<void> };

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
    // What the runtime prints when it breaks down is printed on.
    noteSecrets([folder.masterKey, registry.secret, registry.token, control]);
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
    const edge = await startEdge({
      ...options,
      script: workers.worker,
      adapters: workers.adapters,
      folder,
      registry,
      ...(executors === undefined ? {} : { executors: { running: executors, secret: control } }),
    });
    closers.push(() => edge.close());
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
    // The mode above is only for a file that is new.
    chmodSync(folder.credentialsFile, 0o600);
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
