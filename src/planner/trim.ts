/** Leaves out moves that the goals can do without. */
import { tryInstance, type Computation } from "./apply.ts";
import { isMet, type Goal } from "./goals.ts";
import type { Move, SearchPorts } from "./search.ts";
import type { State } from "./state.ts";

/** Trying each move away costs a replay of all others. */
const MOST = 64;

type Way = { readonly moves: readonly Move[]; readonly state: State };

/** `all: false`: there were too many to try each. What a compound job is made of stays whole. */
export function* trim(
  way: Way,
  { from, goals }: { from: State; goals: readonly Goal[] },
  ports: SearchPorts,
): Computation<Way & { all: boolean }> {
  if (way.moves.length <= 1) return { ...way, all: true };
  if (way.moves.length > MOST) return { ...way, all: false };
  let best = way;
  for (let at = best.moves.length - 2; at >= 0; at--) {
    const without = yield* replay(best.moves.toSpliced(at, 1), from, ports);
    if (without !== undefined && goals.every((goal) => isMet(goal, without.state))) best = without;
  }
  return { ...best, all: true };
}

function* replay(moves: readonly Move[], from: State, { domain, budget }: SearchPorts): Computation<Way | undefined> {
  const again: Move[] = [];
  let state = from;
  for (const { instance } of moves) {
    if (budget.tries >= budget.maxTries) return undefined;
    budget.tries += 1;
    const attempt = yield* tryInstance(instance, state, domain);
    if ("why" in attempt) return undefined;
    state = attempt.state;
    again.push({ instance, steps: attempt.steps });
  }
  return { moves: again, state };
}
