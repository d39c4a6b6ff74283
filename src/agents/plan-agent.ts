/** An agent's row and its jobs' → a plan for a target. Runs nothing. */
import { SwitchyardError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { AgentRow, JobRow } from "../model/agents.ts";
import { JobFault, planAsync, type Plan, type Value } from "../planner/index.ts";
import { jobOf } from "./row-jobs.ts";

export type Wish = {
  agent: AgentRow;
  /** The rows of the agent's jobs, in its order. */
  jobs: readonly JobRow[];
  state: unknown;
  target: unknown;
  /** Keep what was tried. */
  trace: boolean;
};

/** Throws plan_failed when a job cannot be planned with, or when it takes too long: `tries` bounds how often, not how long. */
export async function planAgent({ agent, jobs, state, target, trace }: Wish): Promise<Plan> {
  const endsAt = Date.now() + LIMITS.planMs;
  const inTime = (): void => {
    if (Date.now() <= endsAt) return;
    throw new TypeError(`a plan may take at most ${LIMITS.planMs} ms to be made, it has taken more`);
  };
  try {
    return await planAsync({
      state: state as Value,
      target: target as Value,
      jobs: await Promise.all(jobs.map((row) => jobOf(row, inTime))),
      limits: agent.limits,
      trace,
    });
  } catch (fault) {
    if (!(fault instanceof JobFault)) throw fault;
    throw new SwitchyardError("plan_failed", `Cannot plan for the agent "${agent.name}": ${fault.message}`, {
      hint: `opctl get job ${fault.job} -o yaml`,
      cause: fault,
    });
  }
}
