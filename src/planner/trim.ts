/** Leaves out moves that the goals can do without, each with what only it had made possible (known as action elimination). */
import { tryInstance, type Computation } from "./apply.ts";
import { isMet, type Goal } from "./goals.ts";
import type { Move, SearchPorts } from "./search.ts";
import type { State } from "./state.ts";

/** Trying each move away costs a replay of all others. So much it may cost in any case, or so many times what finding the way cost. */
const LEAST_TRIES = 2_048;
const TIMES = 4;

type Way = { readonly moves: readonly Move[]; readonly state: State };

/**
 * `cost`: the tries that finding it took; a search that tried much and took few moves has wandered about. `all: false`: there
 * were too many to try each. What a compound job is made of stays whole.
 */
export function* trim(
  way: Way,
  { from, goals, cost }: { from: State; goals: readonly Goal[]; cost: number },
  ports: SearchPorts,
): Computation<Way & { all: boolean }> {
  if (way.moves.length <= 1) return { ...way, all: true };
  if (way.moves.length ** 2 / 2 > Math.max(LEAST_TRIES, TIMES * cost)) return { ...way, all: false };
  let best = way;
  // What a later move needed may go once that has gone.
  for (let before = Number.POSITIVE_INFINITY; best.moves.length < before;) {
    before = best.moves.length;
    for (let at = before - 2; at >= 0; at = Math.min(at, best.moves.length) - 1) {
      const without = yield* replay(best.moves.toSpliced(at, 1), from, ports);
      if (without === undefined) return { ...best, all: false };
      if (goals.every((goal) => isMet(goal, without.state))) best = without;
    }
  }
  return { ...best, all: true };
}

function* replay(moves: readonly Move[], from: State, { domain }: SearchPorts): Computation<Way | undefined> {
  const { budget } = domain;
  const again: Move[] = [];
  let state = from;
  for (const { instance } of moves) {
    if (budget.tries >= budget.maxTries) return undefined;
    budget.tries += 1;
    const attempt = yield* tryInstance(instance, state, domain);
    // It followed from the move that was left out.
    if ("why" in attempt) continue;
    state = attempt.state;
    again.push({ instance, steps: attempt.steps });
  }
  return { moves: again, state };
}
