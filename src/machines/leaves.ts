/** What a requirement asks in the end, each with the JSON Pointer that leads there. */
import type { Leaf, Requirement } from "../model/state-machines.ts";

export function* leavesOf(requirement: Requirement, pointer: string): Generator<{ leaf: Leaf; pointer: string }> {
  if ("not" in requirement) yield* leavesOf(requirement.not, `${pointer}/not`);
  else if ("all" in requirement || "any" in requirement) {
    const [word, parts] = "all" in requirement ? ["all", requirement.all] : ["any", requirement.any];
    for (const [place, part] of parts.entries()) yield* leavesOf(part, `${pointer}/${word}/${place}`);
  } else yield { leaf: requirement, pointer };
}
