/** An agent's row and its jobs', as they are in the database now. */
import { SwitchyardError } from "../core/errors.ts";
import type { JobRow } from "../model/agents.ts";
import type { TriggerHandle } from "../model/triggers.ts";
import type { Registry } from "../registry/registry.ts";
import type { AgentSettings } from "./messages.ts";

export type RowsRegistry = Pick<Registry, "triggersNamed" | "manifests">;

export async function agentRow(
  name: string,
  registry: Pick<Registry, "triggersNamed">,
): Promise<TriggerHandle<"agent"> | undefined> {
  return (await registry.triggersNamed("agent", [name], { fresh: true }))[0];
}

/** In the agent's order. */
export async function jobRows(
  { name, jobs }: { name: string; jobs: readonly string[] },
  registry: Pick<Registry, "manifests">,
): Promise<JobRow[]> {
  const found = await registry.manifests("job", jobs);
  return jobs.map((job) => {
    const row = found.get(job);
    if (row !== undefined) return row.manifest as JobRow;
    throw new SwitchyardError(
      "plan_failed",
      `Cannot plan for the agent "${name}": its jobs must be registered; "${job}" is not`,
      { hint: "opctl get jobs" },
    );
  });
}

export function settingsOf({ active, retry, sensors, initial, digest }: TriggerHandle<"agent">): AgentSettings {
  return { active, retry, sensors, initial, digest };
}
