/** What a step's job sees of a state, and what its effect changes there. Pure. */
import type { JobRow } from "../model/agents.ts";
import {
  differences,
  isSame,
  overlap,
  parsePointer,
  toPointer,
  valueAt,
  withTarget,
  withValue,
  type Step,
  type Value,
} from "../planner/index.ts";
import type { Patch, StepData } from "./messages.ts";
import { dataOf } from "./row-jobs.ts";

export function stepData(job: JobRow, step: Step, state: Value): StepData {
  const { path, params, target } = step;
  return dataOf(job, {
    value: valueAt(state, parsePointer(path)),
    target,
    params,
    read: (pointer) => valueAt(state, parsePointer(pointer)),
  }) as StepData;
}

/** Only what differs: another step may work beside it, below the same path. */
export function patchesOf(path: string, before: Value, after: Value): Patch[] {
  return differences(before, after, parsePointer(path)).map(({ path: at, after: value }) =>
    patchOf(toPointer(at), value),
  );
}

export function patchOf(path: string, value: Value): Patch {
  return value === undefined ? { path } : { path, value };
}

export function patched(state: Value, patches: readonly Patch[]): Value {
  return patches.reduce<Value>((now, { path, value }) => withValue(now, parsePointer(path), value), state);
}

/** Whether a plan that was made from one state leads from another, too: what its steps touch is the same, or there is nothing to do. */
export function holdsFrom(
  { steps }: { steps: readonly Step[] },
  { before, after, target }: Record<"before" | "after" | "target", Value>,
): boolean {
  if (steps.length === 0) return isSame(withTarget(after, target), after);
  return differences(before, after).every(({ path }) => !steps.some((step) => touches(step, toPointer(path))));
}

/** Whether a step reads or writes at the place, or above or below it. */
export function touches({ path, reads, writes }: Step, place: string): boolean {
  const at = parsePointer(place);
  return [path, ...reads, ...writes].some((each) => overlap(parsePointer(each), at));
}
