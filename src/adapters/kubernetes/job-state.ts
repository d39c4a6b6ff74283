/**
 * How a Job is, from its conditions and its pod. What a pod says is believed before what the Job says of it: the Job has only
 * BackoffLimitExceeded for everything. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
 */
import type { ErrorCode } from "../../core/errors.ts";
import type { Outcome } from "../../model/outcome.ts";
import { unstarted } from "../adapter.ts";
import type { JobState } from "../job.ts";
import { CONTAINER } from "./pod-body.ts";

export type Reason = { reason?: string; message?: string };
export type Condition = Reason & { type: string; status: string };
export type KubeJob = { metadata?: { deletionTimestamp?: string }; status?: { conditions?: Condition[] } };
type ContainerState = {
  waiting?: Reason;
  running?: object;
  terminated?: Reason & { exitCode: number };
};
export type KubePod = {
  metadata?: { name?: string; deletionTimestamp?: string; annotations?: Record<string, string> };
  status?: Reason & {
    phase?: string;
    conditions?: Condition[];
    containerStatuses?: {
      name: string;
      restartCount?: number;
      state?: ContainerState;
      lastState?: ContainerState;
    }[];
  };
};

export type Names = { environment: string; operation: string; isModule: boolean };

/** The kubelet tries again for ever, or until somebody has put right what the pod names. */
export const CANNOT_START: ReadonlySet<string | undefined> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
]);
/** Of a container that has an exit code although its command never began. */
const NEVER_BEGAN: ReadonlySet<string | undefined> = new Set(["StartError", "ContainerCannotRun"]);
/** Of the pod as a whole: the machine's end, not the container's. */
const MACHINE_LOST: ReadonlySet<string | undefined> = new Set([
  "Evicted",
  "Preempting",
  "Preempted",
  "NodeLost",
  "NodeShutdown",
  "Terminated",
  "Shutdown",
]);

/** undefined: the API server does not know the Job any more. */
export function stateOfJob(job: KubeJob | undefined, pods: readonly KubePod[], names: Names): JobState {
  if (job === undefined) return ended(lost(names, "somebody has deleted the Job, or its time to be kept is over"));
  const finished = job.status?.conditions?.find(
    ({ type, status }) => status === "True" && (type === "Complete" || type === "Failed"),
  );
  if (finished?.reason === "DeadlineExceeded") {
    return ended(failed("timeout", sentence(names, "it must end within its time", wordsOf(finished))));
  }
  // The newest counts: a pod may be there twice for a moment.
  const pod = pods.at(-1);
  const ofPod = pod === undefined ? undefined : outcomeOfPod(pod, names);
  if (ofPod !== undefined) return ended(ofPod);
  if (finished !== undefined) {
    return ended(lost(names, `the Job is ${finished.type} and its pod is gone: ${wordsOf(finished)}`));
  }
  if (job.metadata?.deletionTimestamp !== undefined) return ended(lost(names, "the Job is being deleted"));
  return { kind: pods.some(hasBegun) ? "running" : "pending" };
}

/** Whether anything of its image may have run. */
export function hasBegun({ status }: KubePod): boolean {
  if (status?.phase === "Succeeded" || status?.phase === "Unknown") return true;
  return (status?.containerStatuses ?? []).some(({ state, lastState }) =>
    [state, lastState].some(
      (each) =>
        each?.running !== undefined || (each?.terminated !== undefined && !NEVER_BEGAN.has(each.terminated.reason)),
    ),
  );
}

/** undefined: it has not ended. */
function outcomeOfPod(pod: KubePod, names: Names): Outcome | undefined {
  const { status = {} } = pod;
  const disrupted = status.conditions?.find(
    (condition) => condition.type === "DisruptionTarget" && condition.status === "True",
  );
  const state = status.containerStatuses?.find(({ name }) => name === CONTAINER)?.state;
  if (MACHINE_LOST.has(status.reason)) return lost(names, wordsOf(status));
  if (disrupted !== undefined && status.phase === "Failed") return lost(names, wordsOf(disrupted));
  if (state?.waiting !== undefined && CANNOT_START.has(state.waiting.reason)) {
    return cannotStart(names, wordsOf(state.waiting));
  }
  if (state?.terminated !== undefined) return outcomeOfExit(state.terminated, names);
  // Without a container of its own: the kubelet did not take it (OutOfcpu, UnexpectedAdmissionError).
  return status.phase === "Failed" ? lost(names, wordsOf(status)) : undefined;
}

function outcomeOfExit(terminated: Reason & { exitCode: number }, names: Names): Outcome {
  const said = wordsOf(terminated);
  if (NEVER_BEGAN.has(terminated.reason)) return cannotStart(names, said);
  if (terminated.reason === "OOMKilled") return lost(names, `${said}; its memory limit is too small`);
  const exited = `it exited with ${terminated.exitCode}; ${said}`;
  // A host exits without a report when it was killed or could not send it; what a container's exit means is its own.
  if (names.isModule) return lost(names, exited);
  return failed("implementation_failed", sentence(names, "its container must report its end", exited));
}

function cannotStart(names: Names, because: string): Outcome {
  return unstarted("environment_misconfigured", sentence(names, "its pod must start", because), {
    hint: `opctl environment check ${names.environment}`,
  });
}

export function lost(names: Names, because: string): Outcome {
  return failed("executor_lost", sentence(names, "its pod must run to its end", because));
}

function ended(outcome: Outcome): JobState {
  return { kind: "ended", outcome };
}

function failed(code: ErrorCode, detail: string): Outcome {
  return { ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] };
}

export function wordsOf({ reason, message }: Reason): string {
  const words = [reason, message].filter((part) => part !== undefined && part !== "").join(": ");
  return words === "" ? "no reason is given" : words.slice(0, 1_000);
}

function sentence({ operation, environment }: Names, rule: string, because: string): string {
  return `Cannot finish "${operation}" in "${environment}": ${rule}; it did not: ${because}`;
}
