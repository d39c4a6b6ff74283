/**
 * How a task is, from what DescribeTasks answers. Reasons are told by their beginnings, as documented:
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
 */
import type { ErrorCode } from "../../core/errors.ts";
import type { Outcome } from "../../model/outcome.ts";
import { unstarted } from "../adapter.ts";
import type { JobState } from "../job.ts";

export type EcsTask = {
  taskArn?: string;
  lastStatus?: string;
  stopCode?: string;
  stoppedReason?: string;
  containers?: { name?: string; exitCode?: number; reason?: string }[];
};

type Names = { environment: string; operation: string; container: string; isModule: boolean };

/** Its containers have ended by then, although the task's network is still being taken down. */
const ENDED: ReadonlySet<string | undefined> = new Set(["STOPPED", "DEPROVISIONING", "DELETED"]);
const PENDING: ReadonlySet<string | undefined> = new Set(["PROVISIONING", "PENDING", "ACTIVATING", undefined]);

/** undefined: ECS does not know the task any more, about an hour after its end. */
export function stateOfTask(task: EcsTask | undefined, names: Names): JobState {
  if (task === undefined) return { kind: "ended", outcome: lost(names, "ECS does not know it any more") };
  if (PENDING.has(task.lastStatus)) return { kind: "pending" };
  if (!ENDED.has(task.lastStatus)) return { kind: "running" };
  return { kind: "ended", outcome: outcomeOfEnd(task, names) };
}

function outcomeOfEnd(task: EcsTask, names: Names): Outcome {
  const container = task.containers?.find(({ name }) => name === names.container);
  const exitCode = container?.exitCode;
  const because = [task.stopCode, task.stoppedReason, container?.reason]
    .filter((part) => part !== undefined)
    .join("; ");
  // A container that has an exit code has run.
  if (exitCode === undefined && /Capacity is unavailable/i.test(because)) {
    return unstarted("environment_throttled", sentence(names, "ECS must have room for it", because));
  }
  if (exitCode === undefined && isStartFailure(task, because)) {
    return unstarted("environment_misconfigured", sentence(names, "its task must start", because), {
      hint: `opctl environment check ${names.environment}`,
    });
  }
  if (/OutOfMemory/.test(because)) return lost(names, `${because}; its memory is too small`);
  // A host exits without a report when it was killed or could not send it; what a container's exit means is its own.
  if (exitCode === undefined || names.isModule || task.stopCode !== "EssentialContainerExited") {
    return lost(names, exitCode === undefined ? because : `exit code ${exitCode}; ${because}`);
  }
  return failed(
    "implementation_failed",
    sentence(names, "its container must report its end", `it exited with ${exitCode}; ${because}`),
  );
}

function isStartFailure({ stopCode }: EcsTask, because: string): boolean {
  return stopCode === "TaskFailedToStart" || /Cannot(?:Pull|Start|Create)\w*|ResourceInitializationError/.test(because);
}

function lost(names: Names, because: string): Outcome {
  return failed("executor_lost", sentence(names, "its task must run to its end", because));
}

function failed(code: ErrorCode, detail: string): Outcome {
  return { ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] };
}

function sentence({ operation, environment }: Names, rule: string, because: string): string {
  return `Cannot finish "${operation}" in "${environment}": ${rule}; it did not: ${because === "" ? "no reason is given" : because}`;
}
