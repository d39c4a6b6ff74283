/** Agents: what their jobs refer to must be among their jobs, and their rights are never more than their writer's. */
import type { JobRow } from "../../model/agents.ts";
import type { Operation } from "../../model/entities.ts";
import { allows } from "../../model/principal.ts";
import { named, refuse, type KindRules } from "./rules.ts";
import { checkScopes } from "./trigger.ts";

export const agentRules: KindRules<"agent"> = {
  restore: (manifest, _resolved, context) => agentRules.settle(manifest, context),
  async settle(manifest, context) {
    const { name, jobs, scopes } = manifest;
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
      const group = (operation?.manifest as Operation | undefined)?.group;
      if (group === undefined || allows({ id: "", name, scopes }, `ops:invoke:${group}`)) continue;
      throw refuse(
        "definition_invalid",
        "/scopes",
        `Cannot let the agent "${name}" start "${row.operation}": its scopes must include ops:invoke or ops:invoke:${group}; they are ${scopes.join(", ")}`,
      );
    }
    return { manifest, resolved: {}, uses: jobs.map((job) => ({ kind: "job", name: job, written: true })) };
  },
};
