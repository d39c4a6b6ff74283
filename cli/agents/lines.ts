/** What happens to agents, as lines for people. */
import type { Issue } from "../../src/core/errors.ts";
import { renderTable } from "../render/table.ts";
import type { AgentEvent, AgentDirectedView } from "./api.ts";
import type { Attempts } from "./waited-for.ts";

/** Issues of an error that are named. */
const ISSUES_NAMED = 3;

type Failure = { code: string; detail: string; errors?: unknown };
type Patch = { path: string; value?: unknown };

/** undefined: nothing that a person waits for. */
export function lineOf(event: AgentEvent): string | undefined {
  switch (event.type) {
    case "target":
      return `target    ${JSON.stringify(event["target"])}`;
    case "plan": {
      const count = Number(event["count"] ?? (event["steps"] as unknown[]).length);
      return `plan ${String(event["plan"])}    ${count} step${count === 1 ? "" : "s"}`;
    }
    case "step": {
      const error = event["error"] as Failure | undefined;
      const id = typeof event["execution_id"] === "string" ? `  ${event["execution_id"]}` : "";
      const why = error === undefined ? "" : `  ${failureText(error)}`;
      return `${String(event["status"]).padEnd(9)} ${Number(event["step"]) + 1}. ${String(event["description"])}${id}${why}`;
    }
    case "state":
      return (event["patches"] as Patch[]).map((patch) => `state     ${patchText(patch)}`).join("\n");
    case "sensed":
      return `sensed    ${String(event["path"]) || "/"}`;
    case "stop":
      return "stop";
    case "phase": {
      const { phase, reason } = event as unknown as { phase: string; reason: string | null };
      return reason === null ? phase : `${phase}: ${reason}`;
    }
    default:
      return undefined;
  }
}

/** With the first places of an input or an output that do not fit. */
function failureText({ code, detail, errors = [] }: Failure): string {
  const issues = (errors as Issue[]).filter((issue) => !detail.includes(issue.detail));
  const named = issues
    .slice(0, ISSUES_NAMED)
    .map((issue) => `${issue.pointer === "" ? "(the whole)" : issue.pointer}: ${issue.detail}`);
  if (issues.length > named.length) named.push(`and ${issues.length - named.length} more`);
  return [`${code}: ${detail}`, ...named].join("; ");
}

function patchText(patch: Patch): string {
  return "value" in patch ? `${patch.path || "/"} = ${JSON.stringify(patch.value)}` : `${patch.path || "/"} is gone`;
}

/** Whoever may not look at it has no details of it. `attempts`: of the steps under way. */
export function statusText(status: AgentDirectedView, attempts: Attempts): string {
  const { phase, reason, target, state, next_at: next, unmet = [], plan, sensor_error: silent } = status;
  const lines = [`phase   ${phase}${reason == null ? "" : `: ${reason}`}`];
  if (target !== undefined) lines.push(`target  ${JSON.stringify(target)}`);
  if (state !== undefined) lines.push(`state   ${JSON.stringify(state)}`);
  if (next !== null) lines.push(`next    ${next}`);
  if (silent !== undefined) lines.push(`sensor  ${silent.code}: ${silent.detail}`);
  for (const { path, wanted, is } of unmet) {
    lines.push(
      `unmet   ${path || "/"}: wanted ${JSON.stringify(wanted) ?? "nothing"}, is ${JSON.stringify(is) ?? "nothing"}`,
    );
  }
  if (plan == null) return lines.join("\n");
  const rows = plan.steps.map((step) => [
    step.id + 1,
    step.description,
    step.needs.map((need) => need + 1).join(" "),
    step.status,
    step.execution_id,
    step.error?.code,
  ]);
  const below = plan.steps.flatMap(({ id, error }) => {
    const text = error === null ? attempts.get(id) : failureText(error);
    return text === undefined ? [] : [`${id + 1}. ${text.replaceAll(/\s+/g, " ")}`];
  });
  lines.push(
    `plan ${plan.number}`,
    renderTable(["step", "what", "after", "status", "execution_id", "error"], rows, 80),
    ...below,
  );
  return lines.join("\n");
}

const STEPS_NAMED = 3;

/** After a stop: what it still waits for. undefined: it has stopped, or had nothing to do. */
export function stopText({ name, phase, plan }: AgentDirectedView, isCancelled: boolean): string | undefined {
  if (phase !== "running" && phase !== "planning") return undefined;
  const started = (plan?.steps ?? []).filter(({ status }) => status === "started");
  const names = started.slice(0, STEPS_NAMED).map(({ id, description }) => `${id + 1}. ${description}`);
  if (started.length > names.length) names.push(`${started.length - names.length} more`);
  const what = names.length === 0 ? "what runs" : names.join(", ");
  if (isCancelled) return `stopping: cancels ${what}`;
  return `stopping: waits for ${what}; to cancel it: opctl agent stop ${name} --cancel`;
}
