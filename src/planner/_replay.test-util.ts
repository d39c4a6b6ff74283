/** Carries a plan out, knowing nothing of how it was made: each step's condition must hold when its turn comes. */
import type { AtomicJob } from "./job.ts";
import { parsePointer, valueAt, withValue, type Value } from "./json.ts";
import type { Plan, Problem } from "./plan.ts";

/** `choose` says which of the steps that may begin is next; without it the first. Throws when one cannot be carried out. */
export function replay({ state, jobs }: Problem, { steps }: Plan, choose: () => number = () => 0): Value {
  const there = new Set(steps.map(({ id }) => id));
  const done = new Set<number>();
  let current = state;
  while (done.size < steps.length) {
    const ready = steps.filter(
      ({ id, needs }) => !done.has(id) && needs.every((need) => done.has(need) || !there.has(need)),
    );
    const step = ready[choose() % ready.length];
    if (step === undefined) throw new Error("no step may begin");
    const job = jobs.find(({ name }) => name === step.job) as AtomicJob;
    const path = parsePointer(step.path);
    const context = {
      value: valueAt(current, path),
      target: step.target,
      params: step.params,
      read: (pointer: string): Value => valueAt(current, parsePointer(pointer)),
    };
    const exists = context.value !== undefined;
    const kind = job.kind ?? "update";
    const fits = kind === "any" || (kind === "create" || kind === "initialise" ? !exists : exists);
    if (!fits || job.when?.(context) === false) throw new Error(`${step.description} may not begin`);
    current = withValue(current, path, job.effect(context) as Value);
    done.add(step.id);
  }
  return current;
}
