/** Which jobs could serve a goal, and where: those at the goal's own path or at one around it, and what is always worth a try. */
import { isObject, type Path, type Value } from "./json.ts";
import { wantedAt, type Goal } from "./goals.ts";
import { isParameter, match, readsOf, type Compiled, type Instance, type JobKind } from "./job.ts";
import { lookAt, type State } from "./state.ts";

/** In the order of the jobs, the nearest place first. */
export function candidatesFor(
  goal: Goal,
  state: State,
  domain: { target: Value; jobs: readonly Compiled[] },
): Instance[] {
  const found: Instance[] = [];
  for (const compiled of domain.jobs) {
    if (compiled.kind === "wildcard" || compiled.kind === "initialise") {
      found.push(...placesOf(compiled, state, domain.target));
      continue;
    }
    const at = instanceFor(compiled, goal, domain.target);
    if (at !== undefined && serves(compiled.kind, goal, at, state)) found.push(at);
  }
  return found;
}

/** A template has one length, so there is at most one place for it on the way to a goal. */
export function instanceFor(compiled: Compiled, goal: Goal, target: Value): Instance | undefined {
  if (compiled.template.length > goal.path.length) return undefined;
  const path = goal.path.slice(0, compiled.template.length);
  const params = match(compiled.template, path);
  if (params === undefined) return undefined;
  return { compiled, path, params, target: wantedAt(target, path) ?? undefined };
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
function placesOf(compiled: Compiled, state: State, target: Value): Instance[] {
  let paths: Path[] = [[]];
  for (const part of compiled.template) {
    paths = paths.flatMap((path) =>
      isParameter(part) ? namesAt(path, state, target).map((name) => path.concat(name)) : [path.concat(part)],
    );
  }
  return paths.flatMap((path) => {
    const params = match(compiled.template, path);
    return params === undefined ? [] : [{ compiled, path, params, target: wantedAt(target, path) ?? undefined }];
  });
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
