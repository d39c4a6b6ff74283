/** Which jobs could serve a goal, and where: those at the goal's own path or at one around it, and what is always worth a try. */
import { isObject, toPointer, type Path, type Value } from "./json.ts";
import { wantedAt, type Goal } from "./goals.ts";
import { isParameter, match, readsOf, type Compiled, type Instance, type JobKind } from "./job.ts";
import { lookAt, type State } from "./state.ts";

export type Candidate = { readonly goal: Goal; readonly instance: Instance };

/** Goal by goal, in the order of the jobs, each job at a place once. Found as they are asked for: the first often does. */
export function* candidatesFor(
  goals: readonly Goal[],
  state: State,
  domain: { target: Value; jobs: readonly Compiled[] },
): Generator<Candidate, void> {
  const found = new Set<string>();
  for (const goal of goals) {
    for (const compiled of domain.jobs) {
      if (compiled.kind === "wildcard" || compiled.kind === "initialise") {
        // The same for every goal.
        if (goal === goals[0])
          for (const instance of placesOf(compiled, state, domain.target)) yield { goal, instance };
        continue;
      }
      const instance = instanceFor(compiled, goal, domain.target);
      if (instance === undefined || !serves(compiled.kind, goal, instance, state)) continue;
      const key = `${compiled.job.name} ${toPointer(instance.path)}`;
      if (found.has(key)) continue;
      found.add(key);
      yield { goal, instance };
    }
  }
}

/** A template has one length, so there is at most one place for it on the way to a goal. */
export function instanceFor(compiled: Compiled, goal: Goal, target: Value): Instance | undefined {
  const at = placeOn(compiled.template, goal.path);
  return at === undefined ? undefined : { compiled, ...at, target: wantedAt(target, at.path) ?? undefined };
}

function placeOn(template: Path, goal: Path): Pick<Instance, "path" | "params"> | undefined {
  if (template.length > goal.length) return undefined;
  const path = goal.slice(0, template.length);
  const params = match(template, path);
  return params === undefined ? undefined : { path, params };
}

/** Around a goal something is changed by whatever the goal asks for; at its own place it comes, changes or goes. */
function serves(kind: JobKind, goal: Goal, { path }: Instance, state: State): boolean {
  if (kind === "any") return true;
  const there = lookAt(state, path) !== undefined;
  if (!there) return kind === "create" && (goal.wanted !== undefined || path.length < goal.path.length);
  const goes = goal.wanted === undefined && path.length === goal.path.length;
  return kind === (goes ? "delete" : "update");
}

/** Every place of a template: parameters stand for whatever is there, or is wanted there. */
function* placesOf(compiled: Compiled, state: State, target: Value, path: Path = []): Generator<Instance, void> {
  const part = compiled.template[path.length];
  if (part === undefined) {
    const params = match(compiled.template, path);
    if (params !== undefined) yield { compiled, path, params, target: wantedAt(target, path) ?? undefined };
    return;
  }
  const names = isParameter(part) ? namesAt(path, state, target) : [part];
  for (const name of names) yield* placesOf(compiled, state, target, [...path, name]);
}

function namesAt(path: Path, state: State, target: Value): string[] {
  const [inside, wanted] = [lookAt(state, path), wantedAt(target, path)];
  const names = new Set([
    ...(isObject(inside) ? Object.keys(inside) : []),
    ...(isObject(wanted) ? Object.keys(wanted) : []),
  ]);
  names.delete("*");
  return [...names];
}

/** All that serving the goal may touch or look at, as far as the jobs themselves say. */
export function footprintOf(goal: Goal, domain: { target: Value; jobs: readonly Compiled[] }): Path[] {
  const places: Path[] = [goal.path];
  for (const compiled of domain.jobs) {
    if (compiled.kind === "wildcard" || compiled.kind === "initialise") {
      const end = compiled.template.findIndex(isParameter);
      places.push(end < 0 ? compiled.template : compiled.template.slice(0, end));
      continue;
    }
    const at = instanceFor(compiled, goal, domain.target);
    if (at !== undefined) places.push(at.path, ...readsOf(at));
  }
  return places;
}

/** How many places and jobs' paths are named. */
const NAMED = { places: 3, paths: 5 } as const;

/** Goals that no job works on, at them or around them: most often a name that is misspelt. null: there are none. */
export function unservedNote(goals: readonly Path[], domain: { jobs: readonly Compiled[] }): string | null {
  const places = goals.filter((path) => !domain.jobs.some(({ template }) => placeOn(template, path) !== undefined));
  if (places.length === 0) return null;
  const paths = new Set(domain.jobs.map(({ template }) => toPointer(template)));
  const at = paths.size === 0 ? "there are no jobs" : `jobs work on ${listOf([...paths], NAMED.paths)}`;
  return `No job works on ${listOf(places.map(toPointer), NAMED.places)}; ${at}.`;
}

function listOf(pointers: readonly string[], most: number): string {
  const named = pointers.slice(0, most).map((pointer) => pointer || "/");
  const more = pointers.length - named.length;
  return more === 0 ? named.join(", ") : `${named.join(", ")} and ${more} more`;
}
