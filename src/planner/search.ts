/**
 * Finds a way from a state to goals that belong together: the state with the fewest unmet goals is looked at first, of equal
 * ones the deepest, of these the one whose job was named first. A state is looked at once, so that loops end. As soon as a
 * job meets a goal more, the rest of its state's jobs are put off.
 */
import { tryInstance, type Applied, type Computation, type Domain } from "./apply.ts";
import { candidatesFor, type Candidate } from "./candidates.ts";
import { changed, EMPTY, keyOf, type Fingerprint } from "./fingerprint.ts";
import { isMet, type Goal } from "./goals.ts";
import { overlap, toPointer } from "./json.ts";
import type { Instance } from "./job.ts";
import { Queue } from "./queue.ts";
import type { State } from "./state.ts";

/** One choice of the search: a job at a place, and the steps that it is made of. */
export type Move = { readonly instance: Instance; readonly steps: readonly Applied[] };

export const BOUNDS = ["tries", "steps"] as const;
export type Bound = { readonly name: (typeof BOUNDS)[number]; readonly limit: number };

/** What was tried, for who asks why. `verdict`: a refusal, `seen` (a state that was there before), or how many goals are unmet then. */
export type Tried = {
  /** Which search of the plan: groups of goals are searched apart. */
  readonly search: number;
  readonly node: number;
  readonly parent: number;
  readonly goal: string;
  readonly job: string;
  readonly path: string;
  readonly verdict: string;
  /** The text of the condition that does not hold, where it has one. */
  readonly condition?: string;
};

export type Found = {
  readonly moves: readonly Move[];
  readonly state: State;
  readonly unmet: readonly Goal[];
  readonly bound?: Bound;
};

type Node = {
  readonly id: number;
  readonly state: State;
  readonly parent: Node | undefined;
  readonly move: Move | undefined;
  /** Steps so far. */
  readonly depth: number;
  readonly unmet: readonly Goal[];
  readonly print: Fingerprint;
  /** Jobs still to try here; begun when the node is first looked at. */
  candidates: Iterator<Candidate, void> | undefined;
};

/** `taken`: steps that the plan has already. */
export type SearchPorts = { domain: Domain; taken: number; trace?: Tried[] };

export function* search(state: State, goals: readonly Goal[], ports: SearchPorts): Computation<Found> {
  const { domain, taken, trace } = ports;
  const { budget } = domain;
  const number = domain.searches++;
  const unmet = goals.filter((goal) => !isMet(goal, state));
  const base = { candidates: undefined };
  const root: Node = { id: 0, state, parent: undefined, move: undefined, depth: 0, unmet, print: EMPTY, ...base };
  let nearest = root;
  let bound: Bound | undefined;
  let nodes = 1;
  if (unmet.length > 0 && taken >= budget.maxSteps) {
    return { moves: [], state, unmet, bound: { name: "steps", limit: budget.maxSteps } };
  }
  const seen = new Set([keyOf(root.print)]);
  const open = new Queue<Node>(precedes);
  open.push(root);
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.unmet.length === 0) return { moves: movesTo(node), state: node.state, unmet: [] };
    node.candidates ??= candidatesFor(node.unmet, node.state, domain);
    for (let next = node.candidates.next(); next.done !== true; next = node.candidates.next()) {
      if (budget.tries >= budget.maxTries) {
        bound = { name: "tries", limit: budget.maxTries };
        return { moves: movesTo(nearest), state: nearest.state, unmet: nearest.unmet, bound };
      }
      budget.tries += 1;
      const { goal, instance } = next.value;
      const note = (verdict: string, { id = -1, condition }: { id?: number; condition?: string } = {}): void => {
        const { name } = instance.compiled.job;
        trace?.push({
          search: number,
          node: id,
          parent: node.id,
          goal: goal.key,
          job: name,
          path: toPointer(instance.path),
          verdict,
          ...(condition === undefined ? {} : { condition }),
        });
      };
      const attempt = yield* tryInstance(instance, node.state, domain);
      if ("why" in attempt) {
        if (attempt.why === "tries") bound = { name: "tries", limit: budget.maxTries };
        const isOwn = attempt.job === instance.compiled.job.name;
        const condition = attempt.why === "when" ? domain.byName.get(attempt.job)?.job.condition : undefined;
        note(
          attempt.why === "when" || isOwn ? attempt.why : `${attempt.why} of ${attempt.job}`,
          condition === undefined ? {} : { condition: isOwn ? condition : `${condition} (of ${attempt.job})` },
        );
        continue;
      }
      const depth = node.depth + attempt.steps.length;
      if (taken + depth > budget.maxSteps) {
        bound = { name: "steps", limit: budget.maxSteps };
        note("too many steps");
        continue;
      }
      const print = attempt.steps.reduce((sum, { made, changes }) => changed(changed(sum, made), changes), node.print);
      const key = keyOf(print);
      if (seen.has(key)) {
        note("seen");
        continue;
      }
      seen.add(key);
      const child: Node = {
        id: nodes++,
        state: attempt.state,
        parent: node,
        move: { instance, steps: attempt.steps },
        depth,
        unmet: unmetAfter(goals, node, attempt),
        print,
        ...base,
      };
      note(`${child.unmet.length} unmet`, { id: child.id });
      if (child.unmet.length < nearest.unmet.length) nearest = child;
      open.push(child);
      if (child.unmet.length < node.unmet.length) {
        open.push(node);
        break;
      }
    }
  }
  const found = { moves: movesTo(nearest), state: nearest.state, unmet: nearest.unmet };
  return bound === undefined ? found : { ...found, bound };
}

function precedes(a: Node, b: Node): boolean {
  if (a.unmet.length !== b.unmet.length) return a.unmet.length < b.unmet.length;
  return a.depth === b.depth ? a.id < b.id : a.depth > b.depth;
}

/** Only goals that a change touches can have been met or lost. */
function unmetAfter(goals: readonly Goal[], node: Node, attempt: { state: State; steps: readonly Applied[] }): Goal[] {
  let at = 0;
  const places = attempt.steps.flatMap(({ changes }) => changes.map(({ path }) => path));
  return goals.filter((goal) => {
    const wasUnmet = node.unmet[at] === goal;
    if (wasUnmet) at += 1;
    return places.some((place) => overlap(place, goal.path)) ? !isMet(goal, attempt.state) : wasUnmet;
  });
}

function movesTo(node: Node): Move[] {
  const moves: Move[] = [];
  for (let at: Node | undefined = node; at?.move !== undefined; at = at.parent) moves.push(at.move);
  return moves.toReversed();
}
