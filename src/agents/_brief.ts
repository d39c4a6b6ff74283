/** How large values are, and as much of what is unmet and of a plan as an agent keeps and tells: targets and states may be large. */
import { utf8Length } from "../core/hash.ts";
import { LIMITS } from "../core/limits.ts";
import type { Step, Unmet, Value } from "../planner/index.ts";

/** Of what is unmet, a value and all paths in a sentence. Bytes, characters. */
const LONGEST_VALUE = 1_000;
const LONGEST_REASON = 2_000;

/** Bytes as JSON. */
export function sizeOf(value: unknown): number {
  return utf8Length(JSON.stringify(value) ?? "");
}

function short(value: Value): Value {
  const size = sizeOf(value);
  return size > LONGEST_VALUE ? `(${size} bytes)` : value;
}

/** A sentence that is not too long. */
export function cut(text: string): string {
  return text.length <= LONGEST_REASON ? text : `${text.slice(0, LONGEST_REASON)}…`;
}

/** The first of what is unmet, the size in place of a value that is large. */
export function brief(unmet: readonly Unmet[]): Unmet[] {
  return unmet
    .slice(0, LIMITS.agentUnmet)
    .map(({ path, wanted, is }) => ({ path, wanted: short(wanted), is: short(is) }));
}

/** As much of a plan as is told. */
export function toldOf(steps: readonly Step[]): object[] {
  let chars = 0;
  return steps
    .map(({ id, description, needs }) => ({ id, description, needs }))
    .filter((step) => (chars += JSON.stringify(step).length) <= LIMITS.agentPlanChars);
}
