/** Agents: what their jobs refer to must be among their jobs, and their rights are never more than their writer's. */
import type { AgentRow, JobRow } from "../../model/agents.ts";
import type { Draft, Use } from "../draft.ts";
import { named, refuse, type KindRules } from "./rules.ts";
import { checkInvokes, checkScopes } from "./trigger.ts";

export const agentRules: KindRules<"agent"> = {
  restore: (manifest, _resolved, context) => agentRules.settle(manifest, context),
  async settle(manifest, context) {
    const { name, jobs } = manifest;
    const { draft } = context;
    checkScopes("agent", manifest, context);
    for (const [index, job] of jobs.entries()) {
      const row = (await named(draft, "job", job, `/jobs/${index}`)).manifest as JobRow;
      if (jobs.indexOf(job) !== index) {
        throw refuse(
          "definition_invalid",
          `/jobs/${index}`,
          `Cannot store the agent "${name}": each job may be named once; "${job}" is named twice`,
        );
      }
      for (const part of Array.isArray(row.expand) ? row.expand : []) {
        if (jobs.includes(part.job)) continue;
        throw refuse(
          "definition_invalid",
          "/jobs",
          `Cannot store the agent "${name}": its jobs must include those that they are made of; "${job}" is made of "${part.job}", which is not among them`,
        );
      }
      const operation = row.operation === null ? undefined : await draft.row("operation", row.operation);
      if (operation !== undefined) checkInvokes("agent", manifest, { row: operation });
    }
    const uses: Use[] = jobs.map((job) => ({ kind: "job", name: job, written: true }));
    uses.push(...(await sensors(manifest, draft)));
    if (manifest.retry.max_ms < manifest.retry.initial_ms) {
      throw refuse(
        "definition_invalid",
        "/retry/max_ms",
        `Cannot store the agent "${name}": retry.max_ms must be at least retry.initial_ms, ${manifest.retry.initial_ms}; it is ${manifest.retry.max_ms}`,
      );
    }
    return { manifest, resolved: {}, uses };
  },
};

/** One for each place, whose operation is there and open to the agent. */
async function sensors(manifest: AgentRow, draft: Draft): Promise<Use[]> {
  const uses = new Map<string, Use>();
  for (const [index, { path, operation }] of manifest.sensors.entries()) {
    if (manifest.sensors.findIndex((each) => each.path === path) !== index) {
      throw refuse(
        "definition_invalid",
        `/sensors/${index}/path`,
        `Cannot store the agent "${manifest.name}": each place may have one sensor; "${path}" has two`,
      );
    }
    const row = await named(draft, "operation", operation, `/sensors/${index}/operation`);
    checkInvokes("agent", manifest, { row });
    uses.set(row.name, { kind: "operation", name: row.name, written: true });
  }
  return [...uses.values()];
}
