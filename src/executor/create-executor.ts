/**
 * Picks the executor by what the worker is bound to: slots of supervised processes (self-hosted), else the Worker Loader
 * of this script (Cloudflare).
 */
import { exports } from "cloudflare:workers";
import type { Executor } from "../model/invocation.ts";
import type { GateProps } from "./gate.ts";
import { LoaderExecutor } from "./loader-executor.ts";
import { platformOverHttp } from "./platform-over-http.ts";
import { PoolExecutor } from "./pool.ts";

export type ExecutorBindings = {
  LOADER?: WorkerLoader;
  /** With EXECUTOR_SECRET and SLOT_0, SLOT_1, …: what startExecutors() of supervisor.node.ts hands out. */
  SUPERVISOR?: Fetcher;
  EXECUTOR_SECRET?: string;
};

/** What the script that holds this must export: the Gate of gate.ts, and a default fetch handler for what ctx asks. */
type Loopback = { default: Fetcher; Gate(options: { props: GateProps }): Fetcher };

export type CreatedExecutor = {
  executor: Executor;
  /** Takes the supervisor's news; undefined where there is no supervisor. */
  control: ((request: Request) => Promise<Response>) | undefined;
};

export function createExecutor(env: ExecutorBindings): CreatedExecutor {
  const { SUPERVISOR: supervisor, EXECUTOR_SECRET: secret, LOADER: loader } = env;
  if (supervisor !== undefined && secret !== undefined) {
    const pool = new PoolExecutor({ slots: slotsOf(env), supervisor, secret });
    return { executor: pool, control: (request) => pool.control(request) };
  }
  if (loader === undefined) {
    throw new Error(
      "Cannot run code: the worker must be bound to LOADER, or to SUPERVISOR and EXECUTOR_SECRET; it is neither",
    );
  }
  const loopback = exports as unknown as Loopback;
  const executor = new LoaderExecutor({
    loader,
    gate: (options) => loopback.Gate(options),
    platform: platformOverHttp(loopback.default),
  });
  return { executor, control: undefined };
}

function slotsOf(env: object): Fetcher[] {
  const slots: Fetcher[] = [];
  for (let slot = 0; ; slot++) {
    const fetcher = (env as Record<string, unknown>)[`SLOT_${slot}`];
    if (fetcher === undefined) return slots;
    slots.push(fetcher as Fetcher);
  }
}
