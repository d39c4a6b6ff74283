/**
 * Jobs: what can be done to the state. An atomic job says where it works (a path with parameters), when, and what the state
 * becomes; a compound job expands to other jobs. A job sees the subtree at its path and what it names under `reads`, and
 * nothing else: that is what makes steps independent of each other.
 *
 * Callbacks are pure. They may answer with promises, then planAsync() must be used.
 */
import { parsePointer, toPointer, type Json, type Path, type Value } from "./json.ts";
import { lookAt, type State } from "./state.ts";

/**
 * What a job is for. `create`, `update`, `delete`: something that the target wants otherwise and that is not there, is there,
 * should go. `any`: each of these. `initialise`: whatever is not there, though the target may not speak of it. `wildcard`:
 * whatever is there, though the target may not speak of it.
 */
export const JOB_KINDS = ["create", "update", "delete", "any", "initialise", "wildcard"] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export type JobContext = {
  /** The subtree at the job's path; undefined when there is none. */
  readonly value: Value;
  /** What the target wants there; undefined: nothing in particular, or that it goes. */
  readonly target: Value;
  readonly params: Readonly<Record<string, string>>;
  /** The value at a pointer under `reads`. Throws JobFault for any other. */
  readonly read: (pointer: string) => Value;
};

type Answer<T> = T | Promise<T>;

type Common = {
  readonly name: string;
  /** `/counters/:name`; a part that begins with a colon is a parameter. */
  readonly path: string;
  readonly kind?: JobKind;
  /** Pointers, with the path's parameters in them; a part `*` stands for all there. */
  readonly reads?: readonly string[];
  readonly when?: (context: JobContext) => Answer<boolean>;
  /** The text of `when` where it has one, for people. */
  readonly condition?: string;
  /** For people. Its name and path if left out. */
  readonly describe?: (context: Pick<JobContext, "params" | "target">) => string;
};

export type AtomicJob = Common & {
  /** What the subtree becomes; undefined: it goes. A job that changes nothing is not chosen. */
  readonly effect: (context: JobContext) => Answer<Value>;
  /** Whatever carries it out; the planner hands it on. */
  readonly run?: unknown;
};

/** One part of a compound job. `path` is the compound's own if left out, `target` what the target wants at that path. */
export type JobReference = { readonly job: string; readonly path?: string; readonly target?: Json };

export type CompoundJob = Common & {
  readonly expand: (context: JobContext) => Answer<readonly JobReference[]>;
  /** `ordered`: each part after the one before. `parallel` (if left out): only where parts touch the same state. */
  readonly order?: "ordered" | "parallel";
};

export type Job = AtomicJob | CompoundJob;

export class JobFault extends Error {
  override readonly name = "JobFault";
  readonly job: string;

  constructor(job: string, reason: string, cause?: unknown) {
    super(`Cannot plan with the job "${job}": ${reason}`, cause === undefined ? undefined : { cause });
    this.job = job;
  }
}

/** A job, its templates taken apart. */
export type Compiled = {
  readonly job: Job;
  readonly kind: JobKind;
  readonly template: Path;
  readonly reads: readonly Path[];
  readonly isCompound: boolean;
};

/** A job at a place. */
export type Instance = {
  readonly compiled: Compiled;
  readonly path: Path;
  readonly params: Readonly<Record<string, string>>;
  readonly target: Value;
};

/** Throws JobFault for names that are taken twice, paths and reads that cannot be. */
export function compileJobs(jobs: readonly Job[]): Compiled[] {
  const names = new Set<string>();
  const compiled = jobs.map((job): Compiled => {
    if (names.has(job.name)) throw new JobFault(job.name, "its name must be its own; there are two of that name");
    names.add(job.name);
    const template = templateOf(job, job.path);
    const known = new Set(template.filter(isParameter));
    const reads = (job.reads ?? []).map((pointer) => templateOf(job, pointer));
    for (const part of reads.flat()) {
      if (!isParameter(part) || known.has(part)) continue;
      throw new JobFault(job.name, `what it reads may use the parameters of its path; "${part}" is not one of them`);
    }
    return { job, kind: job.kind ?? "update", template, reads, isCompound: "expand" in job };
  });
  // Compound jobs know more of the way than their parts: they are tried first.
  return [...compiled.filter(({ isCompound }) => isCompound), ...compiled.filter(({ isCompound }) => !isCompound)];
}

function templateOf({ name }: Job, pointer: string): Path {
  try {
    return parsePointer(pointer);
  } catch (cause) {
    throw new JobFault(name, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

export function isParameter(part: string): boolean {
  return part.startsWith(":");
}

/** The parameters with which the template is the path; undefined when it cannot be. */
export function match(template: Path, path: Path): Record<string, string> | undefined {
  if (template.length !== path.length) return undefined;
  // A pointer to it would be one to the whole.
  if (path.length === 1 && path[0] === "") return undefined;
  if (template.some((part, at) => part !== path[at] && !isParameter(part))) return undefined;
  const params = Object.create(null) as Record<string, string>;
  for (const [at, part] of template.entries()) {
    if (!isParameter(part)) continue;
    const [name, actual] = [part.slice(1), path[at] as string];
    if (Object.hasOwn(params, name) && params[name] !== actual) return undefined;
    params[name] = actual;
  }
  return params;
}

/** What an instance may look at beside its own path, as far as it is known: a part `*` ends it. */
export function readsOf({ compiled, params }: Pick<Instance, "compiled" | "params">): Path[] {
  return compiled.reads.map((template) => {
    const end = template.indexOf("*");
    const known = end < 0 ? template : template.slice(0, end);
    return known.map((part) => (isParameter(part) ? (params[part.slice(1)] ?? part) : part));
  });
}

export function contextOf(instance: Instance, state: State): JobContext {
  const { compiled, path, params, target } = instance;
  return {
    value: lookAt(state, path),
    target,
    params,
    read(pointer) {
      const wanted = parsePointer(pointer);
      const allowed = [path, ...readsOf(instance)];
      if (allowed.some((prefix) => prefix.every((part, at) => part === wanted[at]))) return lookAt(state, wanted);
      throw new JobFault(compiled.job.name, `it may read ${allowed.map(toPointer).join(", ")}; it read "${pointer}"`);
    },
  };
}

export function describeInstance({ compiled, path, params, target }: Instance): string {
  const { job } = compiled;
  return job.describe?.({ params, target }) ?? `${job.name} ${toPointer(path)}`;
}
