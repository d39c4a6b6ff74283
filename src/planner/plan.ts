/**
 * plan(): a state, a target and jobs → steps as a DAG that lead from the one to the other, the same each time. Pure: it runs
 * nothing. Where there is no way, the answer is how near it came, what is unmet, and which bound ended the search if one did.
 */
import type { Applied, Budget, Computation, Domain } from "./apply.ts";
import { footprintOf, unservedNote } from "./candidates.ts";
import { goalsOf, isMet, type Goal } from "./goals.ts";
import { compileJobs, describeInstance, type Job } from "./job.ts";
import { parsePointer, toPointer, type Path, type Value } from "./json.ts";
import { makespanOf, needsOf, readPaths } from "./order.ts";
import { partition } from "./partition.ts";
import { search, type Bound, type Move, type SearchPorts, type Tried } from "./search.ts";
import { commonPrefix, focus, lookAt, Whole } from "./state.ts";
import { trim } from "./trim.ts";

export type Problem = {
  readonly state: Value;
  /** A merge patch; see goals.ts. */
  readonly target: Value;
  readonly jobs: readonly Job[];
  /** How many jobs may be tried at places, and how many steps one line may have. */
  readonly limits?: { readonly tries?: number; readonly steps?: number; readonly expansion?: number };
  /** Keep what was tried, for explain(). */
  readonly trace?: boolean;
};

export const DEFAULT_LIMITS = { tries: 200_000, steps: 50_000, expansion: 32 } as const;

export type Step = {
  readonly id: number;
  readonly job: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly target: Value;
  readonly description: string;
  /** The ids of the steps that must be over before it. */
  readonly needs: readonly number[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** The compound jobs that it came from, from outside inwards. */
  readonly of: readonly string[];
};

export type Unmet = { readonly path: string; readonly wanted: Value; readonly is: Value };

export type Plan = {
  /** Whether the steps reach the target. If not, they lead to the nearest state that was found. */
  readonly reached: boolean;
  readonly steps: readonly Step[];
  /** Steps on the longest way through: how long it takes at least. */
  readonly makespan: number;
  /** As it will be. */
  readonly state: Value;
  readonly unmet: readonly Unmet[];
  /** What ended the search before it had tried everything. */
  readonly bound: Bound | null;
  /** How many jobs were tried at places. */
  readonly tries: number;
  /** Why there may be steps that it could do without, or why some are missing. */
  readonly notes: readonly string[];
  /** Of the unmet: where no job works at all, and where they do. One of the notes, too. */
  readonly unserved: string | null;
  readonly trace: readonly Tried[];
};

/** Throws JobFault, also when a job answers with a promise. */
export function plan(problem: Problem): Plan {
  const computation = compute(problem);
  const step = computation.next();
  if (step.done === true) return step.value;
  throw new TypeError("plan() takes jobs that answer at once; with jobs that answer with promises use planAsync()");
}

/** As plan(). A long search lets others have a turn. */
export async function planAsync(problem: Problem): Promise<Plan> {
  const computation = compute(problem);
  let step = computation.next();
  for (let answers = 1; step.done !== true; answers++) {
    if (answers % ANSWERS_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    try {
      step = computation.next(await step.value);
    } catch (error) {
      step = computation.throw(error);
    }
  }
  return step.value;
}

const ANSWERS_A_TURN = 256;

type Progress = {
  readonly whole: Whole;
  readonly moves: Move[];
  /** Steps of its moves. */
  taken: number;
  bound: Bound | undefined;
  trimmed: boolean;
};

function begin(state: Value): Progress {
  return { whole: new Whole(state), moves: [], taken: 0, bound: undefined, trimmed: true };
}

function* compute({ state, target, jobs, limits, trace }: Problem): Computation<Plan> {
  const compiled = compileJobs(jobs);
  const byName = new Map(compiled.map((each) => [each.job.name, each]));
  const { tries, steps, expansion } = { ...DEFAULT_LIMITS, ...limits };
  const budget: Budget = { tries: 0, maxTries: tries, maxSteps: steps };
  const domain: Domain = {
    target,
    jobs: compiled,
    byName,
    maxExpansion: expansion,
    budget,
    expansions: 0,
    searches: 0,
  };
  const tried: Tried[] = [];
  const ports: SearchPorts = { domain, taken: 0, ...(trace === true ? { trace: tried } : {}) };
  let best = begin(state);
  const groups = yield* planApart(best, ports);
  let unmet = unmetIn(best.whole.value, target);
  // Only compound jobs reach from one group to another. What has too many steps apart is not searched as a whole: that is far more work.
  const mayHelp = groups > 1 && best.bound?.name !== "steps" && compiled.some(({ isCompound }) => isCompound);
  if (unmet.length > 0 && mayHelp) {
    const joint = begin(state);
    yield* advance(joint, { goals: goalsOf(target, state), at: [] }, ports);
    const left = unmetIn(joint.whole.value, target);
    if (left.length < unmet.length) [best, unmet] = [joint, left];
    else best.bound ??= joint.bound;
  }
  return finish(best, { unmet, domain, tried });
}

/** Each group of goals by itself, again as long as others are unmet: what one group does may be what another waits for. The most groups there were. */
function* planApart(progress: Progress, ports: SearchPorts): Computation<number> {
  const { domain } = ports;
  let most = 0;
  for (const seen = new Set<string>(); ;) {
    const state = focus(progress.whole.value, []);
    const goals = goalsOf(domain.target, progress.whole.value);
    const unmet = goals.filter((goal) => !isMet(goal, state));
    const keys = unmet.map(({ key }) => key).join("\n");
    if (unmet.length === 0 || seen.has(keys)) return most;
    seen.add(keys);
    const footprints = goals.map((goal) => footprintOf(goal, domain));
    const groups = partition(footprints);
    most = Math.max(most, groups.length);
    for (const group of groups) {
      const at = commonPrefix(group.flatMap((each) => footprints[each] ?? []));
      yield* advance(progress, { goals: group.map((each) => goals[each] as Goal), at }, ports);
    }
  }
}

function* advance(
  progress: Progress,
  { goals, at }: { goals: readonly Goal[]; at: Path },
  ports: SearchPorts,
): Computation<void> {
  const from = focus(progress.whole.value, at);
  if (goals.every((goal) => isMet(goal, from))) return;
  const { budget } = ports.domain;
  const before = budget.tries;
  const found = yield* search(from, goals, { ...ports, taken: progress.taken });
  const cost = budget.tries - before;
  progress.bound = found.bound ?? progress.bound;
  const reached = goals.filter((goal) => !found.unmet.includes(goal));
  const { moves, state, all } = yield* trim(found, { from, goals: reached, cost }, ports);
  progress.whole.take(state);
  progress.moves.push(...moves);
  progress.taken += moves.reduce((sum, { steps }) => sum + steps.length, 0);
  progress.trimmed &&= all;
}

function unmetIn(whole: Value, target: Value): Unmet[] {
  const state = focus(whole, []);
  return goalsOf(target, whole)
    .filter((goal) => !isMet(goal, state))
    .map(({ key, path, wanted }) => ({ path: key, wanted, is: lookAt(state, path) }));
}

function finish(
  { whole, moves, bound, trimmed }: Progress,
  { unmet, domain, tried }: { unmet: readonly Unmet[]; domain: Domain; tried: readonly Tried[] },
): Plan {
  const applied = moves.flatMap(({ steps }) => steps);
  const needs = needsOf(applied);
  const notes: string[] = [];
  if (!trimmed) notes.push("It was not tried whether it can do without one of its steps: there are too many.");
  if (applied.some(({ parts }) => parts.length > 0)) {
    notes.push("A compound job is taken whole, also where one of its steps could be left out.");
  }
  const unserved = unservedNote(
    unmet.map(({ path }) => parsePointer(path)),
    domain,
  );
  if (unserved !== null) notes.push(unserved);
  return {
    reached: unmet.length === 0,
    steps: applied.map((step, id) => toStep(step, id, needs[id] ?? [])),
    makespan: makespanOf(needs),
    state: whole.value,
    unmet,
    bound: unmet.length === 0 ? null : (bound ?? null),
    tries: domain.budget.tries,
    notes,
    unserved,
    trace: tried,
  };
}

function toStep(step: Applied, id: number, needs: readonly number[]): Step {
  const { instance, changes, parts } = step;
  return {
    id,
    job: instance.compiled.job.name,
    path: toPointer(instance.path),
    params: instance.params,
    target: instance.target,
    description: describeInstance(instance),
    needs,
    reads: readPaths(step).map(toPointer),
    writes: changes.map(({ path }) => toPointer(path)),
    of: parts.map(({ job }) => job),
  };
}
