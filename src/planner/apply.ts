/** Tries a job at a place on a state: what it would change, with compound jobs taken apart into their atomic steps. */
import { differences, isJson, isObject, parsePointer, toPointer, type Change, type Path, type Value } from "./json.ts";
import { wantedAt } from "./goals.ts";
import {
  contextOf,
  JobFault,
  match,
  type Compiled,
  type CompoundJob,
  type Instance,
  type JobReference,
} from "./job.ts";
import { lookAt, put, type State } from "./state.ts";

/** Where a step stands in a compound job: `index` counts the parts, `id` tells one expansion from another. */
export type Part = { readonly id: number; readonly job: string; readonly index: number; readonly ordered: boolean };

export type Applied = {
  readonly instance: Instance;
  readonly changes: readonly Change[];
  /** Objects around its place that came to be with it. */
  readonly made: readonly Change[];
  /** The compound jobs that it is a part of, from outside inwards. */
  readonly parts: readonly Part[];
};

export const REFUSALS = ["kind", "when", "no_effect", "recursion", "too_deep", "tries"] as const;
export type Refusal = { readonly why: (typeof REFUSALS)[number]; readonly job: string };
export type Attempt = { readonly state: State; readonly steps: readonly Applied[] } | Refusal;

/** A computation that hands out each promise it meets and goes on with its value. */
export type Computation<T> = Generator<Promise<unknown>, T, unknown>;

/** How much may still be tried, over all searches of one plan; each part of a compound job counts. */
export type Budget = { tries: number; readonly maxTries: number; readonly maxSteps: number };

export type Domain = {
  readonly target: Value;
  readonly jobs: readonly Compiled[];
  readonly byName: ReadonlyMap<string, Compiled>;
  readonly maxExpansion: number;
  readonly budget: Budget;
  /** The ids of the next expansion and the next search. */
  expansions: number;
  searches: number;
};

type Ancestors = { readonly parts: readonly Part[]; readonly open: readonly string[] };
const TOP: Ancestors = { parts: [], open: [] };

export function* tryInstance(
  instance: Instance,
  state: State,
  domain: Domain,
  ancestors: Ancestors = TOP,
): Computation<Attempt> {
  const { compiled, path } = instance;
  const { job } = compiled;
  const context = contextOf(instance, state);
  const refuse = (why: Refusal["why"]): Refusal => ({ why, job: job.name });
  if (!fitsKind(compiled, context.value)) return refuse("kind");
  if (job.when !== undefined && !(yield* settle(job.name, "when", () => job.when?.(context) ?? true))) {
    return refuse("when");
  }
  if ("expand" in job) return yield* tryCompound(job, instance, state, { domain, ancestors });
  const effect = job.effect;
  const after = yield* settle<Value>(job.name, "effect", () => effect(context));
  const changes = differences(context.value, after, path);
  if (changes.length === 0) return refuse("no_effect");
  if (!changes.every((change) => isJson(change.after))) {
    throw new JobFault(job.name, "its effect must answer with JSON; it answered with something that JSON has not");
  }
  const made = after === undefined ? [] : madeAround(state, path);
  return { state: put(state, path, after), steps: [{ instance, changes, made, parts: ancestors.parts }] };
}

/** What put() will make objects of on the way to a path. */
function madeAround(state: State, path: Path): Change[] {
  const made: Change[] = [];
  for (let at = path.slice(0, -1); at.length >= state.at.length; at = at.slice(0, -1)) {
    const before = lookAt(state, at);
    if (isObject(before)) break;
    made.push({ path: at, before, after: {} });
    if (at.length === 0) break;
  }
  return made;
}

/** All of it or nothing, but for parts that have nothing to do. */
function* tryCompound(
  job: CompoundJob,
  instance: Instance,
  state: State,
  { domain, ancestors }: { domain: Domain; ancestors: Ancestors },
): Computation<Attempt> {
  if (ancestors.open.length >= domain.maxExpansion) return { why: "too_deep", job: job.name };
  const own = `${job.name} ${toPointer(instance.path)} ${JSON.stringify(instance.target)} ${JSON.stringify(lookAt(state, instance.path))}`;
  // The same job at the same place, wanting the same of the same: it would go on for ever.
  if (ancestors.open.includes(own)) return { why: "recursion", job: job.name };
  const references = yield* settle(job.name, "expand", () => job.expand(contextOf(instance, state)));
  const id = domain.expansions++;
  const steps: Applied[] = [];
  let current = state;
  const { budget } = domain;
  for (const [index, reference] of references.entries()) {
    if (budget.tries >= budget.maxTries) return { why: "tries", job: job.name };
    budget.tries += 1;
    const part: Part = { id, job: job.name, index, ordered: job.order === "ordered" };
    const inner = { parts: [...ancestors.parts, part], open: [...ancestors.open, own] };
    const attempt = yield* tryInstance(referred(job, instance, reference, domain), current, domain, inner);
    if ("why" in attempt) {
      if (attempt.why === "no_effect") continue;
      return attempt;
    }
    current = attempt.state;
    steps.push(...attempt.steps);
  }
  return steps.length === 0 ? { why: "no_effect", job: job.name } : { state: current, steps };
}

function referred(job: CompoundJob, instance: Instance, reference: JobReference, domain: Domain): Instance {
  const compiled = domain.byName.get(reference.job);
  if (compiled === undefined) throw new JobFault(job.name, `its parts must be jobs; "${reference.job}" is none`);
  const path = reference.path === undefined ? instance.path : parsePointer(reference.path);
  const params = match(compiled.template, path);
  if (params === undefined) {
    throw new JobFault(
      job.name,
      `its part "${reference.job}" works at ${compiled.job.path}; it was asked to at "${toPointer(path)}"`,
    );
  }
  const inherited = reference.path === undefined ? instance.target : (wantedAt(domain.target, path) ?? undefined);
  return { compiled, path, params, target: reference.target ?? inherited };
}

function fitsKind({ kind }: Compiled, value: Value): boolean {
  switch (kind) {
    case "create":
    case "initialise":
      return value === undefined;
    case "update":
    case "delete":
    case "wildcard":
      return value !== undefined;
    case "any":
      return true;
  }
}

function* settle<T>(job: string, what: string, call: () => T | Promise<T>): Computation<T> {
  try {
    const answer = call();
    return answer instanceof Promise ? ((yield answer) as T) : answer;
  } catch (cause) {
    if (cause instanceof JobFault) throw cause;
    throw new JobFault(
      job,
      `its ${what} must not throw; it said ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
}
