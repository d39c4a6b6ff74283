/**
 * The adapter of machines that connect to the platform by themselves (`opctl runner start`): orders go to the environment's
 * pool, which knows the runners.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { runnableOf } from "../../model/environment.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { PoolOrder, PoolStatus, RunnerPoolPort } from "../../model/runner-protocol.ts";
import {
  outcomeOfThrown,
  type Adapter,
  type AdapterCall,
  type AdapterPorts,
  type EnvironmentCheck,
} from "../adapter.ts";
import { runOnHost } from "../host-call.ts";
import { configOf, RunnerConfigSchema } from "./_config.ts";
import { runnerServices } from "./service-host.ts";

export { RunnerConfigSchema } from "./_config.ts";

export type RunnerPorts = Pick<AdapterPorts, "isolates" | "artifacts" | "platformUrl" | "now" | "fetchOn"> & {
  pool(environment: string): RunnerPoolPort;
};

/** What one message of a WebSocket carries, with room for what is around the order. */
export const MAX_ORDER_BYTES = 30 * 1024 * 1024;

let calls = 0;

export function runnerAdapter(ports: RunnerPorts): Adapter {
  return {
    name: "runner",
    summary: "machines that connect by themselves: opctl runner start",
    config: RunnerConfigSchema,
    secrets: {},
    runs: ["module", "python", "process", "container", "http"],
    hasMembers: true,
    services: runnerServices(ports),
    async invoke(call) {
      const { cancellation } = call.options ?? {};
      const pool = ports.pool(call.environment.name);
      let order: Omit<PoolOrder, "order">;
      try {
        order = await orderOf(call, ports);
      } catch (thrown) {
        return { ...failed(outcomeOfThrown(thrown)), unstarted: true };
      }
      const takeBack = cancellation?.onRequest(() => void pool.cancel(order.id).catch(() => undefined));
      const carry = async (frame: string): Promise<string | Outcome> => {
        if (cancellation?.requested === true) return { ...cancelled(call), unstarted: true };
        return pool.run({ ...order, order: frame });
      };
      try {
        return await runOnHost(call, (frame) => carry(frame).catch(lost(call)), ports, { maxBytes: MAX_ORDER_BYTES });
      } finally {
        takeBack?.();
      }
    },
    async check({ name }) {
      const startedAt = ports.now();
      try {
        return describe(name, await ports.pool(name).status(), ports.now() - startedAt);
      } catch (thrown) {
        const missing = [`its pool must answer; it says ${String(thrown)}`];
        return { reachable: false, allowed: null, latency_ms: null, missing, facts: {} };
      }
    },
  };
}

async function orderOf(call: AdapterCall, ports: RunnerPorts): Promise<Omit<PoolOrder, "order">> {
  const { operation, environment, meta, isLast } = call;
  const config = configOf(environment);
  const isModule = operation.implementation.kind === "module";
  // Nobody sits and waits for an attempt of an asynchronous execution.
  const mayWaitLong = isLast && meta.live === true;
  calls += 1;
  return {
    id: `${meta.execution_id}/${meta.item ?? ""}/${calls}`,
    execution: meta.execution_id,
    attempt: meta.attempt,
    item: meta.item ?? null,
    runnable: runnableOf(operation.implementation),
    isolate: isModule ? await ports.isolates.isolateId(operation) : "",
    requires: operation.requires,
    capabilities: environment.capabilities,
    timeout_ms: meta.timeout_ms,
    wait_ms: mayWaitLong ? meta.timeout_ms : Math.min(config.wait_ms, meta.timeout_ms),
    hold: isLast,
    max_queued: config.max_queued,
    resume_ms: config.resume_ms,
  };
}

/** The pool itself broke off: whether anything has run cannot be told. */
function lost({ environment }: AdapterCall): (thrown: unknown) => Outcome {
  return (thrown) =>
    failed(
      outcomeOfThrown(
        new SwitchyardError(
          "executor_lost",
          `Cannot tell what became of it in "${environment.name}": its pool must answer; it broke off`,
          { cause: thrown },
        ),
      ),
    );
}

function cancelled({ environment }: AdapterCall): Outcome & { ok: false } {
  const detail = `Cannot run it in "${environment.name}": the call was cancelled`;
  return { ok: false, error: { code: "execution_cancelled", detail }, retry: { kind: "never" }, logs: [] };
}

function failed(outcome: Outcome): Outcome & { ok: false } {
  if (outcome.ok) throw new TypeError("a failure is no success");
  return outcome;
}

function describe(name: string, { runners, queued }: PoolStatus, latencyMs: number): EnvironmentCheck {
  const connected = runners.filter(({ state }) => state === "connected");
  const facts: Record<string, string | number | boolean> = {
    runners: connected.length,
    slots: connected.reduce((sum, { slots }) => sum + slots, 0),
    in_flight: runners.reduce((sum, one) => sum + one.in_flight, 0),
    queued,
  };
  for (const runner of runners) {
    const has = Object.entries(runner.capabilities).map(([word, value]) => `${word}=${String(value)}`);
    const { state, version, slots, in_flight: inFlight, runs, last_seen_at: seenAt } = runner;
    facts[`runner ${runner.name}`] =
      `${state}, version ${version}, ${inFlight} of ${slots} slots taken, runs ${runs.join("+")}, seen ${new Date(seenAt).toISOString()}${has.length > 0 ? `, has ${has.join(" ")}` : ""}`;
  }
  return {
    reachable: connected.length > 0,
    allowed: null,
    latency_ms: latencyMs,
    missing: connected.length > 0 ? [] : [`no runner is connected: opctl runner start --environment ${name}`],
    facts,
  };
}
