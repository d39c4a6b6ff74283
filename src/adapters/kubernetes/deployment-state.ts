/**
 * How a service's set is, from its Deployment and its pods. A Deployment never ends by itself: what it cannot start it tries again
 * for ever, so whether that is hopeless is read from its pods.
 * https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
 */
import type { ReplicaReport } from "../../model/services.ts";
import { reportOf } from "../service-place.ts";
import { CANNOT_START, wordsOf, type Condition, type KubePod } from "./job-state.ts";
import { CONTAINER } from "./pod-body.ts";

export type KubeDeployment = {
  metadata?: {
    name?: string;
    namespace?: string;
    generation?: number;
    deletionTimestamp?: string;
    annotations?: Record<string, string>;
  };
  spec?: { replicas?: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    conditions?: Condition[];
  };
};

/** Times that a container may end before it counts as one that always does. */
const CRASHES = 2;

export type Standing =
  /** As many as are wanted, all of the newest revision, all ready. */
  | { kind: "settled" }
  /** Nothing of its image runs yet; `because` where something stands in the way that may go away. */
  | { kind: "placing"; because: string | undefined }
  /** It runs, and is not ready. */
  | { kind: "warming"; because: string | undefined }
  | { kind: "hopeless"; because: string };

/** Of the newest revision: whether it will come to be ready. `pods`: those of newest(). */
export function standingOf({ metadata, spec, status = {} }: KubeDeployment, pods: readonly KubePod[]): Standing {
  const wanted = spec?.replicas ?? 1;
  const isSeen = (status.observedGeneration ?? 0) >= (metadata?.generation ?? 0);
  const { replicas = 0, updatedReplicas: updated = 0, readyReplicas: ready = 0 } = status;
  if (isSeen && replicas === wanted && updated === wanted && ready === wanted) return { kind: "settled" };
  const condition = (type: string, value: string): Condition | undefined =>
    isSeen ? status.conditions?.find((each) => each.type === type && each.status === value) : undefined;
  const stuck = condition("Progressing", "False");
  if (stuck?.reason === "ProgressDeadlineExceeded") return { kind: "hopeless", because: wordsOf(stuck) };
  const troubles = pods.map((pod) => troubleOf(pod));
  const hopeless = troubles.find((trouble) => trouble?.isHopeless === true);
  if (hopeless !== undefined) return { kind: "hopeless", because: hopeless.because };
  const because = troubles.find((trouble) => trouble !== undefined)?.because;
  const isRunning = pods.some((pod) => containerOf(pod)?.state?.running !== undefined);
  if (isRunning || because !== undefined) return { kind: "warming", because };
  const failed = condition("ReplicaFailure", "True");
  const unplaced = pods.flatMap(({ status: of }) => of?.conditions ?? []).find(isUnplaced);
  const inTheWay = failed ?? unplaced;
  return { kind: "placing", because: inTheWay === undefined ? undefined : wordsOf(inTheWay) };
}

/** As it serves now, whatever is under way beside that. */
export function reportOfSet(deployment: KubeDeployment, pods: readonly KubePod[]): ReplicaReport {
  const { metadata = {}, spec, status = {} } = deployment;
  const { annotations = {} } = metadata;
  const standing = standingOf(deployment, newest(deployment, pods));
  const ready = status.readyReplicas ?? 0;
  const hasSettled = status.conditions?.some(
    ({ type, reason }) => type === "Progressing" && reason === "NewReplicaSetAvailable",
  );
  const isOver = standing.kind === "hopeless" || hasSettled === true;
  const because = standing.kind === "settled" ? undefined : standing.because;
  const serving = pods.filter(isReady);
  // While a revision is rolled, those that serve may all be of the one before.
  const ofServing = newest(deployment, serving).length > 0 ? undefined : serving.at(-1)?.metadata?.annotations;
  return reportOf({
    replica: annotations["switchyard/replica"] ?? "",
    service: annotations["switchyard/service"] ?? "",
    revision: (ofServing ?? annotations)["switchyard/revision"] ?? "",
    status: ready > 0 ? "ready" : isOver ? "unready" : "starting",
    count: spec?.replicas ?? 1,
    ready,
    lines: because === undefined ? [] : [because],
  });
}

/** Those of the revision that is wanted. */
export function newest({ metadata }: KubeDeployment, pods: readonly KubePod[]): KubePod[] {
  const wanted = metadata?.annotations?.["switchyard/revision"];
  return pods.filter((pod) => pod.metadata?.annotations?.["switchyard/revision"] === wanted);
}

export function isReady({ status }: KubePod): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;
}

/** undefined: it runs, or comes. */
function troubleOf(pod: KubePod): { because: string; isHopeless: boolean } | undefined {
  const { state, lastState, restartCount = 0 } = containerOf(pod) ?? {};
  const waiting = state?.waiting;
  if (waiting !== undefined && CANNOT_START.has(waiting.reason)) {
    // A pull that has failed once is tried again within seconds.
    return { because: wordsOf(waiting), isHopeless: waiting.reason !== "ErrImagePull" };
  }
  const ended = state?.terminated ?? lastState?.terminated;
  if (ended === undefined || state?.running !== undefined) return undefined;
  const because = `it exited with ${ended.exitCode}; ${wordsOf(ended)}`;
  return { because, isHopeless: waiting?.reason === "CrashLoopBackOff" && restartCount >= CRASHES };
}

function containerOf({ status }: KubePod) {
  return status?.containerStatuses?.find(({ name }) => name === CONTAINER);
}

function isUnplaced({ type, status }: Condition): boolean {
  return type === "PodScheduled" && status === "False";
}
