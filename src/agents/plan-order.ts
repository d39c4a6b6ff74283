/** Makes a plan for an agent's object: reads its rows and its sensors, then plans. Starts nothing but sensors. */
import { ERRORS, toErrorData, toSwitchyardError } from "../core/errors.ts";
import type { SensorRow } from "../model/agents.ts";
import type { TriggerHandle } from "../model/triggers.ts";
import type { PlanAnswer, PlanOrder, Sensed, SenseAnswer, SenseOrder } from "./messages.ts";
import { planAgent } from "./plan-agent.ts";
import { agentRow, jobRows, settingsOf } from "./rows.ts";
import { call, type RunPorts } from "./run-steps.ts";
import { patched } from "./step-data.ts";

/** How long a sensor may take. */
const SENSOR_MS = 30_000;

export async function planFor(order: PlanOrder, ports: RunPorts): Promise<PlanAnswer> {
  let sensed: Sensed[] = [];
  try {
    const row = await agentRow(order.agent, ports.registry);
    if (row === undefined) return { settings: null, sensed };
    const settings = settingsOf(row);
    if (!row.active) return { settings, sensed };
    sensed = await senseAll(row, ({ path, every_ms: every }) => every === null || order.sensors.includes(path), ports);
    const silent = sensed.find(({ error }) => error !== undefined);
    if (silent?.error !== undefined) {
      const { error, path } = silent;
      const detail = `Cannot plan for the agent "${row.name}": its sensor of ${path} must answer; ${error.detail}`;
      return { settings, sensed, refusal: { ...error, detail, again: false } };
    }
    const jobs = await jobRows(row, ports.registry);
    const state = patched(order.state, sensed);
    const plan = await planAgent({ agent: row, jobs, state, target: order.target, trace: false });
    const { reached, steps, unmet, bound, unserved } = plan;
    const limit = bound === null ? null : `${bound.limit} ${bound.name}`;
    const used = new Set(steps.map(({ job }) => job));
    return {
      settings,
      sensed,
      plan: {
        reached,
        steps: [...steps],
        unmet: [...unmet],
        bound: limit,
        unserved,
        jobs: jobs.filter(({ name }) => used.has(name)),
      },
    };
  } catch (thrown) {
    const error = toErrorData(toSwitchyardError(thrown));
    const { status, fault } = ERRORS[error.code];
    return { sensed, refusal: { ...error, again: fault === "system" || status === 429 } };
  }
}

export async function senseFor(order: SenseOrder, ports: RunPorts): Promise<SenseAnswer> {
  const row = await agentRow(order.agent, ports.registry);
  if (row === undefined) return { settings: null, sensed: [] };
  const sensed = row.active ? await senseAll(row, ({ path }) => order.sensors.includes(path), ports) : [];
  return { settings: settingsOf(row), sensed };
}

async function senseAll(
  row: TriggerHandle<"agent">,
  isWanted: (sensor: SensorRow) => boolean,
  ports: RunPorts,
): Promise<Sensed[]> {
  return Promise.all(
    row.sensors.filter(isWanted).map(async ({ path, operation, input }): Promise<Sensed> => {
      try {
        const { id, outcome } = await call({ row, operation, input, waitMs: SENSOR_MS }, ports);
        if (outcome?.ok === true) return { path, value: JSON.parse(outcome.output) as never };
        const error = outcome?.error ?? {
          code: "timeout" as const,
          detail: `the execution ${id} has not ended within ${SENSOR_MS} ms`,
        };
        return { path, error };
      } catch (thrown) {
        return { path, error: toErrorData(toSwitchyardError(thrown)) };
      }
    }),
  );
}
