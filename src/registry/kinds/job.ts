/** Jobs: every expression is compiled, and what would have no effect is refused. */
import { compileExpression } from "../../expressions/index.ts";
import { SwitchyardError } from "../../core/errors.ts";
import type { JobRow } from "../../model/agents.ts";
import { compileJobs, JobFault } from "../../planner/index.ts";
import type { Use } from "../draft.ts";
import { named, refuse, type KindRules } from "./rules.ts";

export const jobRules: KindRules<"job"> = {
  restore: (manifest, _resolved, context) => jobRules.settle(manifest, context),
  async settle(manifest, { draft }) {
    checkShape(manifest);
    for (const field of ["when", "effect", "expand", "input"] as const) await checkExpression(manifest, field);
    const uses: Use[] = [];
    if (manifest.operation !== null) {
      const { name } = await named(draft, "operation", manifest.operation, "/operation");
      uses.push({ kind: "operation", name, written: true });
    }
    return { manifest, resolved: {}, uses };
  },
};

function checkShape(row: JobRow): void {
  const { name, path, reads, change } = row;
  try {
    compileJobs([{ name, path, reads, effect: () => null }]);
  } catch (fault) {
    if (!(fault instanceof JobFault)) throw fault;
    throw refuse("definition_invalid", "/path", fault.message);
  }
  const compound = row.expand !== null;
  const idle: Record<string, boolean> = compound
    ? { effect: row.effect !== null, operation: row.operation !== null, input: row.input !== null }
    : { order: row.order !== "parallel", input: row.input !== null && row.operation === null };
  for (const [field, set] of Object.entries(idle)) {
    if (!set) continue;
    throw refuse(
      "setting_unsupported",
      `/${field}`,
      `Cannot store the job "${name}": ${field} has no meaning for ${compound ? "a compound job, whose parts do the work" : field === "order" ? "a job that is made of no others" : "a job without an operation"}`,
    );
  }
  if (!compound && row.effect === null && (change === "initialise" || change === "wildcard")) {
    throw refuse(
      "definition_invalid",
      "/effect",
      `Cannot store the job "${name}": a job for ${change} must say its effect, since the target may not speak of it; it is null`,
    );
  }
}

async function checkExpression(row: JobRow, field: "when" | "effect" | "expand" | "input"): Promise<void> {
  const source = row[field];
  if (typeof source !== "string") return;
  try {
    await compileExpression(source);
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    throw refuse(error.code, `/${field}`, error.message, error.hint);
  }
}
