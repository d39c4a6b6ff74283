/**
 * From the replicas that a service has, and what is wanted of it, to what may begin now: pure, and the same each time. A plan is made
 * in rounds: what may change now (_next-replicas.ts), how (the planner), then the same of what that leads to, until nothing changes.
 * Only the first round is acted on, since whoever acts asks again after each step; the others are for people, and so are bounded.
 */
import type { ReplicaPhase } from "../model/services.ts";
import { plan, toSentences, type Plan, type Step } from "../planner/index.ts";
import { nextReplicas, type Next, type Replicas, type Wanted } from "./_next-replicas.ts";
import { MOVES, REPLICA_JOBS, type Replica } from "./_replica-jobs.ts";

export type { Wanted } from "./_next-replicas.ts";

/**
 * `revision` "": to be replaced by another, whatever it runs. `count`: what it was told last; 1 unless it is a set.
 * starting: asked to start, and not yet healthy. candidate: healthy, gets no requests. draining: gets no more. stopping: asked to end.
 */
export type Known = { replica: string; revision: string; phase: ReplicaPhase; count: number };

/**
 * What to do: `start` also of a set that is there, which is told its count and revision and goes on in its phase; `stop` of one that
 * drains once it has no requests, of one that starts at once; `forget` of one that has ended.
 */
export type Move =
  | { do: "start"; replica: string; revision: string; count: number }
  | { do: "admit" | "drain" | "undrain" | "stop" | "forget"; replica: string };

/** Rounds that are told to people. */
const MOST_ROUNDS = 24;

/**
 * `now`: steps that wait for no other; what is under way already (a replica that is starting or stopping) is not among them.
 * `sentences`: the whole plan, a step each; made when it is read, for that takes longer.
 */
export function planReplicas(known: readonly Known[], wanted: Wanted): { now: Move[]; readonly sentences: string[] } {
  const replicas: Replicas = Object.fromEntries(known.map(({ replica, ...is }) => [replica, is]));
  const next = Object.entries(nextReplicas(replicas, wanted));
  const begins = next.filter(([replica, to]) => !isUnderWay(replicas[replica], to));
  const { steps } = planRound(replicas, Object.fromEntries(begins));
  return {
    now: steps.filter(({ needs }) => needs.length === 0).flatMap(moveOf),
    get sentences() {
      return sentencesOf(replicas, wanted);
    },
  };
}

function isUnderWay(is: Replica | undefined, to: Replica | null): boolean {
  if (to === null) return is?.phase === "stopping";
  return is?.phase === "starting" && is.revision === to.revision && is.count === to.count;
}

function sentencesOf(first: Replicas, wanted: Wanted): string[] {
  let replicas = first;
  const steps: Step[] = [];
  let ends: readonly number[] = [];
  for (let round = 0; ; round++) {
    const made = planRound(replicas, nextReplicas(replicas, wanted));
    if (made.steps.length === 0) return steps.length === 0 ? [] : toSentences({ ...made, steps });
    if (round === MOST_ROUNDS) return [...toSentences({ ...made, steps }), "The others follow in the same way."];
    ends = append(steps, made.steps, ends);
    replicas = (made.state as { replicas: Replicas }).replicas;
  }
}

function planRound(replicas: Replicas, next: Next): Plan {
  return plan({ state: { replicas }, target: { replicas: next }, jobs: REPLICA_JOBS });
}

/** The first steps of a round wait for the last of the round before. */
function append(steps: Step[], round: readonly Step[], ends: readonly number[]): number[] {
  const offset = steps.length;
  const waitedFor = new Set(round.flatMap(({ needs }) => needs));
  for (const step of round) {
    const needs = step.needs.length === 0 ? ends : step.needs.map((need) => need + offset);
    steps.push({ ...step, id: step.id + offset, needs });
  }
  return round.filter(({ id }) => !waitedFor.has(id)).map(({ id }) => id + offset);
}

function moveOf({ job, params, target }: Step): Move[] {
  const replica = params["replica"] as string;
  const name = MOVES.find((each) => each === job);
  if (name === undefined) return [];
  if (name !== "start") return [{ do: name, replica }];
  const { revision, count } = target as Replica;
  return [{ do: name, replica, revision, count }];
}
