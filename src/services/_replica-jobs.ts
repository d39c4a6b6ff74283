/**
 * What can be done to one replica, as jobs of the planner over {replicas: {NAME: {revision, phase, count}}}. Each looks at its own
 * replica only: what hangs on the others (how many may start, who may drain) is decided before, in _next-replicas.ts. `has_started`
 * and `has_gone` are waited for; nobody does them.
 */
import type { ReplicaPhase } from "../model/services.ts";
import type { AtomicJob, JobContext, Json, Value } from "../planner/index.ts";

export type Replica = { readonly revision: string; readonly phase: ReplicaPhase; readonly count: number };

export const MOVES = ["start", "admit", "drain", "undrain", "stop", "forget"] as const;

const PATH = "/replicas/:replica";
type Check = Required<AtomicJob>["when"];

const phaseOf = (value: Value): ReplicaPhase | undefined => (value as Replica | undefined)?.phase;
/** undefined: it is to go. */
const wanted = ({ target }: Pick<JobContext, "target">): Replica | undefined => target as Replica | undefined;
const to =
  (phase: ReplicaPhase): AtomicJob["effect"] =>
  ({ value }) =>
    ({ ...(value as Replica), phase }) satisfies Json;
const goesFrom =
  (...phases: readonly ReplicaPhase[]): Check =>
  (context) =>
    wanted(context) === undefined && phases.includes(phaseOf(context.value) as ReplicaPhase);

function differs(value: Value, target: Replica): boolean {
  const is = value as Replica;
  return is.revision !== target.revision || is.count !== target.count;
}

/** `sure`: of what the target says, what the words need. */
type Words = (replica: string, sure: Replica) => string;
const said =
  (words: Words): Required<AtomicJob>["describe"] =>
  ({ params, target }) =>
    words(params["replica"] as string, (target ?? { revision: "", phase: "ended", count: 1 }) as Replica);

export const REPLICA_JOBS: readonly AtomicJob[] = [
  {
    name: "start",
    path: PATH,
    kind: "any",
    when: (context) => {
      const target = wanted(context);
      return target !== undefined && (context.value === undefined || differs(context.value, target));
    },
    // A set that is there is told another count or revision, and goes on in its phase.
    effect: ({ value, target }) => {
      const { revision, count } = target as Replica;
      return { revision, phase: phaseOf(value) ?? "starting", count };
    },
    describe: said(
      (replica, { revision, count }) => `start ${replica} (${revision}${count === 1 ? "" : `, ${count}`})`,
    ),
  },
  {
    name: "has_started",
    path: PATH,
    when: (context) => wanted(context) !== undefined && phaseOf(context.value) === "starting",
    effect: to("candidate"),
    describe: said((replica) => `wait until ${replica} is healthy`),
  },
  {
    name: "admit",
    path: PATH,
    when: (context) => wanted(context)?.phase === "ready" && phaseOf(context.value) === "candidate",
    effect: to("ready"),
    describe: said((replica) => `give ${replica} requests`),
  },
  {
    name: "undrain",
    path: PATH,
    when: (context) => wanted(context)?.phase === "ready" && phaseOf(context.value) === "draining",
    effect: to("ready"),
    describe: said((replica) => `give ${replica} requests again`),
  },
  {
    name: "drain",
    path: PATH,
    kind: "any",
    when: goesFrom("ready"),
    effect: to("draining"),
    describe: said((replica) => `give ${replica} no more requests`),
  },
  {
    name: "stop",
    path: PATH,
    kind: "any",
    when: goesFrom("starting", "candidate", "draining"),
    effect: to("stopping"),
    describe: said((replica) => `stop ${replica} once it has no requests`),
  },
  {
    name: "has_gone",
    path: PATH,
    kind: "any",
    when: goesFrom("stopping"),
    effect: to("ended"),
    describe: said((replica) => `wait until ${replica} is gone`),
  },
  {
    name: "forget",
    path: PATH,
    kind: "any",
    when: goesFrom("ended"),
    effect: () => undefined,
    describe: said((replica) => `forget ${replica}`),
  },
];
