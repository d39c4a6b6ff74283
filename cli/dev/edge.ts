/** Runs the platform's worker in miniflare's workerd, served through a direct socket, and starts it again when it is lost. */
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import type { Readable } from "node:stream";
import { Miniflare } from "miniflare";
import { SwitchyardError } from "../../src/core/errors.ts";
import { PLUGINS_MODULE } from "../build/plugins.ts";
import { mortalWorkerd } from "../../src/executor/workerd.node.ts";
import type { Executors } from "../../src/executor/supervisor.node.ts";
import { ClockWatch } from "./clock-watch.ts";
import type { RunningRegistry } from "./registry-child.ts";
import type { StateFolder } from "./state-folder.ts";

export type EdgeOptions = {
  port: number;
  /** The platform's worker, bundled. */
  script: string;
  /** The module of plugins that it imports. */
  adapters: string;
  folder: StateFolder;
  registry: RunningRegistry;
  /** Where jobs and hosts elsewhere reach the platform; else only what runs on this machine does. */
  publicUrl?: string;
  /** METRICS and OTEL_…, as telemetry/settings.ts reads them. */
  telemetry?: Readonly<Record<string, string>>;
  /** Executor processes and the secret they share with the edge; without, handlers run in the edge's own process. */
  executors?: { running: Executors; secret: string };
  inspectorPort?: number;
  log: (line: string) => void;
};

// As in wrangler.toml.
const COMPATIBILITY_DATE = "2026-07-01";
const COMPATIBILITY_FLAGS = ["enable_request_signal"];
/** That the process has ended is known at once; this finds one that lives and listens no more. */
const LOOK_EVERY_MS = 5_000;
const TRY_AGAIN_MS = 500;
const READY_WITHIN_MS = 15_000;

type Launched = { edge: Miniflare; ended: Promise<void> };

export async function startEdge(options: EdgeOptions): Promise<{ close(): Promise<void> }> {
  const { port, log } = options;
  let current = await launch(options);
  let closing = false;
  let relaunching: Promise<void> | undefined;
  const relaunch = async (): Promise<void> => {
    log("edge: lost, starting again");
    for (;;) {
      if (closing) return;
      try {
        await current.edge.dispose().catch(() => undefined);
        if (closing) return;
        current = await launch(options);
        return;
      } catch (error) {
        log(`edge: ${String(error)}`);
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
  };
  const lost = (): void => {
    if (closing) return;
    relaunching ??= relaunch().finally(() => {
      relaunching = undefined;
      follow(current);
    });
  };
  const follow = (launched: Launched): void => {
    void launched.ended.then(() => {
      if (launched === current) lost();
    });
  };
  follow(current);
  const look = async (): Promise<void> => {
    if (relaunching === undefined && !(await listens(port))) lost();
  };
  const watch = new ClockWatch(LOOK_EVERY_MS, Date.now());
  const lookAtClock = async (): Promise<void> => {
    const was = watch.look(Date.now());
    if (was === undefined) return;
    log(`edge: the clock was set, or the machine has slept: it would be ${new Date(was).toISOString()}`);
    try {
      const worker = await current.edge.getWorker("switchyard");
      await worker.scheduled({ scheduledTime: new Date(was) });
    } catch (error) {
      // One that is being started again sets its alarms anew.
      log(`edge: ${String(error)}`);
    }
  };
  const timer = setInterval(() => {
    void lookAtClock();
    void look();
  }, LOOK_EVERY_MS);
  timer.unref();
  return {
    async close() {
      closing = true;
      clearInterval(timer);
      await relaunching;
      await current.edge.dispose();
    },
  };
}

/** `ended`: the runtime's process has, by itself. Miniflare would start it again with the same INCARNATION. */
async function launch(options: EdgeOptions): Promise<Launched> {
  const { port, script, folder, registry, executors } = options;
  process.env["MINIFLARE_WORKERD_PATH"] = mortalWorkerdScript(folder.sockets);
  const tlsOptions = { trustBrowserCas: true, trustedCertificates: ownAuthorities() };
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const edge = new Miniflare({
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      for (const stream of [stdout, stderr]) eachLine(stream, options.log);
      stdout.once("end", end);
    },
    ...(options.inspectorPort === undefined ? {} : { inspectorPort: options.inspectorPort }),
    durableObjectsPersist: path.join(folder.path, "objects"),
    r2Persist: path.join(folder.path, "artifacts"),
    workers: [
      {
        name: "switchyard",
        modules: [
          { type: "ESModule", path: "worker.js", contents: script },
          { type: "ESModule", path: PLUGINS_MODULE, contents: options.adapters },
        ],
        compatibilityDate: COMPATIBILITY_DATE,
        compatibilityFlags: COMPATIBILITY_FLAGS,
        unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        durableObjects: {
          DELIVERIES: { className: "DeliveryLog", useSQLite: true },
          EXECUTIONS: { className: "ExecutionShard", useSQLite: true },
          METRICS_BOARD: { className: "MetricsBoard", useSQLite: true },
          JOBS: { className: "JobBoard", useSQLite: true },
          RUNNERS: { className: "RunnerPool", useSQLite: true },
          AGENTS: { className: "AgentObject", useSQLite: true },
          SERVICES: { className: "ServiceObject", useSQLite: true },
          SCHEDULER: { className: "Scheduler", useSQLite: true },
          RATE_LIMITS: { className: "RateLimiter", useSQLite: true },
        },
        r2Buckets: { ARTIFACTS: "artifacts" },
        outboundService: { network: { allow: ["public"], deny: ["64:ff9b::/96"], tlsOptions } },
        bindings: {
          REGISTRY_URL: "http://registry",
          REGISTRY_AUTH_TOKEN: registry.secret,
          MASTER_KEY: folder.masterKey,
          // The same after a restart: jobs that run elsewhere come back with tickets signed by it.
          CAPABILITY_KEY: createHmac("sha256", folder.masterKey).update("capabilities").digest("hex"),
          PUBLIC_URL: options.publicUrl ?? `http://127.0.0.1:${port}`,
          INCARNATION: randomBytes(16).toString("hex"),
          ...options.telemetry,
          ...(executors === undefined ? {} : { EXECUTOR_SECRET: executors.secret }),
        },
        serviceBindings: {
          REGISTRY: external(`unix:${registry.socket}`),
          // For environments that name it: link-local addresses (the metadata services of clouds) stay out of reach.
          PRIVATE_NETWORK: {
            network: { allow: ["public", "private"], deny: ["169.254.0.0/16", "fe80::/10"], tlsOptions },
          },
          ...(executors === undefined
            ? {}
            : {
                SUPERVISOR: external(executors.running.supervisorAddress),
                ...Object.fromEntries(executors.running.slots.map(({ name, address }) => [name, external(address)])),
              }),
        },
        ...(executors === undefined ? { workerLoaders: { LOADER: {} } } : {}),
      },
    ],
  });
  try {
    await edge.ready;
    await waitForHealth(port);
    return { edge, ended };
  } catch (error) {
    await edge.dispose();
    throw error;
  }
}

/** Miniflare starts a single file: one that execs workerd so that it cannot outlive us and go on holding the port. */
function mortalWorkerdScript(folder: string): string {
  const file = path.join(folder, "workerd");
  const words = mortalWorkerd().map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
  writeFileSync(file, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o700 });
  return file;
}

/** Certificates of the team's own authorities, from the file that Node itself reads. Without TLS options there is no TLS. */
function ownAuthorities(): string[] {
  const file = process.env["NODE_EXTRA_CA_CERTS"];
  if (file === undefined || file === "") return [];
  return readFileSync(file, "utf8").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function external(address: string): { external: { address: string; http: object } } {
  return { external: { address, http: {} } };
}

function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = "";
  stream.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") take(line);
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", end(true)).once("error", end(false));
  });
}

async function waitForHealth(port: number): Promise<void> {
  const giveUpAt = Date.now() + READY_WITHIN_MS;
  // A setting that the worker refuses is refused at every try.
  const refused = 422;
  for (
    let last = "nothing", status = 0;
    Date.now() < giveUpAt;
    await new Promise((resolve) => setTimeout(resolve, 20))
  ) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2_000) });
      if (response.ok) return;
      ({ status } = response);
      last = await response.text();
    } catch (error) {
      last = String(error);
    }
    if (status === refused || Date.now() + 20 >= giveUpAt) {
      throw new SwitchyardError(
        "internal",
        `Cannot start the platform: /health must answer within ${READY_WITHIN_MS} ms; it said ${last}`,
      );
    }
  }
}
