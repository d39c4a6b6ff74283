/** Carries a plan out, knowing nothing of how it was made: each step's condition must hold when its turn comes. */
import type { AtomicJob } from "./job.ts";
import { isSame, parsePointer, valueAt, withValue, type Value } from "./json.ts";
import { plan, type Plan, type Problem } from "./plan.ts";

/** `choose` says which of the steps that may begin is next; without it the first. Throws when one cannot be carried out. */
export function replay({ state, jobs }: Problem, { steps }: Plan, choose: () => number = () => 0): Value {
  const there = new Set(steps.map(({ id }) => id));
  const done = new Set<number>();
  let current = state;
  while (done.size < steps.length) {
    const ready = steps.filter(
      ({ id, needs }) => !done.has(id) && needs.every((need) => done.has(need) || !there.has(need)),
    );
    const step = ready.at(choose() % ready.length);
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

/** What is wrong with a problem's plan: it must lead where it says in any order, need each of its steps, and be the same again. */
export function faultsOf(problem: Problem): string[] {
  const made = plan(problem);
  const faults: string[] = [];
  const { state, target } = structuredClone({ state: problem.state, target: problem.target });
  if (JSON.stringify(plan({ ...problem, state, target })) !== JSON.stringify(made))
    faults.push("it is another each time");
  // The first that may begin, the last, and one after another from all over.
  let turn = 0;
  const orders: Record<string, () => number> = { first: () => 0, last: () => -1, mixed: () => (turn += 7) };
  for (const [order, choose] of Object.entries(orders)) {
    if (!isSame(attempted(problem, made, choose), made.state))
      faults.push(`carried out ${order} first it leads elsewhere`);
  }
  if (made.notes.length > 0) return faults;
  const unmet = new Set(made.unmet.map(({ path }) => path));
  for (const { id, description } of made.steps) {
    const after = attempted(problem, { ...made, steps: made.steps.filter((step) => step.id !== id) });
    if (after === undefined) continue;
    const left = plan({ ...problem, state: after, jobs: [] }).unmet;
    if (left.every(({ path }) => unmet.has(path))) faults.push(`${description} could be left out`);
  }
  return faults;
}

function attempted(problem: Problem, made: Plan, choose?: () => number): Value {
  try {
    return replay(problem, made, choose);
  } catch {
    return undefined;
  }
}
