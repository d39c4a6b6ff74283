/** How an execution of a Cloud Run job is, from its own words (google.cloud.run.v2.Execution). */
import { endedJob, type JobNames } from "../job-place.ts";
import type { JobState } from "../job.ts";

export type Execution = {
  name?: string;
  startTime?: string;
  completionTime?: string;
  runningCount?: number;
  conditions?: { type?: string; state?: string; message?: string; reason?: string; executionReason?: string }[];
  template?: { containers?: { name?: string; env?: { name?: string; value?: string }[] }[] };
};

/** undefined: Cloud Run does not know it any more. */
export function stateOfExecution(execution: Execution | undefined, names: JobNames): JobState {
  if (execution === undefined) return endedJob(names, "lost", "Cloud Run does not know it any more");
  const { completionTime, startTime, runningCount = 0, conditions = [] } = execution;
  const completed = conditions.find(({ type }) => type === "Completed");
  const isOver = completed?.state === "CONDITION_FAILED" || completed?.state === "CONDITION_SUCCEEDED";
  if (completionTime === undefined && !isOver) {
    return { kind: runningCount > 0 || startTime !== undefined ? "running" : "pending" };
  }
  const { executionReason, message } = completed ?? {};
  const reason = completed?.reason ?? executionReason;
  const because = [reason, message].filter((part) => part !== undefined).join(": ");
  // Of the image, which is fetched before anything runs.
  if (startTime === undefined && reason?.startsWith("CONTAINER_") === true)
    return endedJob(names, "not_started", because);
  return endedJob(names, executionReason === "NON_ZERO_EXIT_CODE" ? "exited" : "lost", because);
}
