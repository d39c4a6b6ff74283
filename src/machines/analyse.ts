/**
 * What is wrong with a state machine before it runs: states that nothing leads to or out of, guards that can never hold, two
 * that hold at once, and pairs that send a service to and fro. Each finding has facts for which it is so.
 */
import type { StateMachine, Transition } from "../model/state-machines.ts";
import { flapsOf } from "./flaps.ts";
import { both, bothWithin, EVERYWHERE, isOpaque, regionOf, witnessOf, type Region, type Witness } from "./regions.ts";

export const FINDINGS = {
  unknown_state: "error",
  no_initial: "error",
  duplicate_transition: "error",
  never: "error",
  unreachable: "error",
  overlap: "error",
  flapping: "error",
  misplaced_scale: "error",
  trap: "warning",
  not_analysed: "warning",
} as const satisfies Record<string, "error" | "warning">;

export type Finding = {
  readonly kind: keyof typeof FINDINGS;
  readonly severity: "error" | "warning";
  /** A JSON Pointer into the row. */
  readonly pointer: string;
  readonly detail: string;
  /** Facts for which it is so. */
  readonly witness?: Witness;
};

type Analysed = { transition: Transition; at: number; region: Region | undefined };

export function analyse(machine: StateMachine): Finding[] {
  const shape = shapeOf(machine);
  if (shape.length > 0) return shape;
  const analysed = machine.transitions.map((transition, at): Analysed => {
    // A state that fixes how many replicas there are is one in which there are so many.
    const replicas = machine.states[transition.from]?.replicas ?? null;
    const settled = replicas === null ? EVERYWHERE : regionOf({ fact: "replicas", op: "=", value: replicas });
    const region = regionOf(transition.when);
    return {
      transition,
      at,
      region: region === undefined || settled === undefined ? undefined : both(region, settled),
    };
  });
  return [...guards(analysed), ...reach(machine, analysed), ...overlaps(analysed), ...flaps(machine, analysed)];
}

/** To and fro while nothing changes: the service would never come to rest. */
function flaps({ states }: StateMachine, analysed: readonly Analysed[]): Finding[] {
  const possible = analysed.filter(({ region }) => region?.length !== 0);
  const { flaps: found, complete } = flapsOf(possible, states);
  const all = found.map(({ round, witness, isScaling }) => {
    const names = listOf(round.map(({ transition }) => `"${transition.name}"`));
    const through = round.map(({ transition }) => `"${transition.from}"`);
    const where = isScaling
      ? `must not send it to and fro in ${through[0]}; one undoes the other for ${sayWitness(witness)}`
      : round.length === 2
        ? `must not send it to and fro between ${listOf(through)}; both hold for ${sayWitness(witness)}`
        : `must not send it round through ${listOf(through)}; all hold for ${sayWitness(witness)}`;
    const last = Math.max(...round.map(({ at }) => at));
    return finding("flapping", `/transitions/${last}/when`, `${names} ${where}`, witness);
  });
  if (complete) return all;
  return [
    ...all,
    finding("not_analysed", "/transitions", "its states lead to each other in too many ways to be looked through"),
  ];
}

function listOf(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function finding(kind: Finding["kind"], pointer: string, detail: string, witness?: Witness): Finding {
  return { kind, severity: FINDINGS[kind], pointer, detail, ...(witness === undefined ? {} : { witness }) };
}

function shapeOf({ initial, states, transitions }: StateMachine): Finding[] {
  const names = Object.keys(states);
  const known = names.join(", ") || "none";
  const found: Finding[] = [];
  if (!Object.hasOwn(states, initial)) {
    found.push(
      finding("no_initial", "/initial", `it must begin in one of its states, ${known}; it is to begin in "${initial}"`),
    );
  }
  const seen = new Set<string>();
  for (const [at, { name, from, to, scale_by: scaleBy }] of transitions.entries()) {
    if (seen.has(name))
      found.push(
        finding(
          "duplicate_transition",
          `/transitions/${at}/name`,
          `each name must be there once; "${name}" is there twice`,
        ),
      );
    seen.add(name);
    for (const [end, state] of Object.entries({ from, to })) {
      if (Object.hasOwn(states, state)) continue;
      found.push(
        finding(
          "unknown_state",
          `/transitions/${at}/${end}`,
          `"${name}" must lead between its states, ${known}; "${state}" is none`,
        ),
      );
    }
    const fixed = Object.hasOwn(states, to) && states[to]?.replicas !== null;
    if (scaleBy !== null && (from !== to || fixed)) {
      found.push(
        finding(
          "misplaced_scale",
          `/transitions/${at}/scale_by`,
          `"${name}" may scale only within a state that leaves the number of replicas open; ${from === to ? `"${to}" says ${states[to]?.replicas}` : "it leads to another state"}`,
        ),
      );
    }
    if (scaleBy === null && from === to) {
      found.push(
        finding(
          "misplaced_scale",
          `/transitions/${at}/to`,
          `"${name}" must lead to another state, or scale; it does neither`,
        ),
      );
    }
  }
  return found;
}

function guards(analysed: readonly Analysed[]): Finding[] {
  return analysed.flatMap(({ transition, at, region }) => {
    const pointer = `/transitions/${at}/when`;
    if (region === undefined)
      return [finding("not_analysed", pointer, `"${transition.name}" asks too much to be looked through`)];
    if (region.length === 0)
      return [
        finding(
          "never",
          pointer,
          `"${transition.name}" can never be: its requirement holds for no facts in "${transition.from}"`,
        ),
      ];
    if (isOpaque(region))
      return [
        finding(
          "not_analysed",
          pointer,
          `"${transition.name}" hangs on an operation or an expression, of which nothing is known beforehand`,
        ),
      ];
    return [];
  });
}

function reach({ initial, states }: StateMachine, analysed: readonly Analysed[]): Finding[] {
  const possible = analysed.filter(({ region }) => region === undefined || region.length > 0);
  const reached = new Set([initial]);
  for (const state of reached) {
    for (const { transition } of possible) if (transition.from === state) reached.add(transition.to);
  }
  const names = Object.keys(states);
  const unreachable = names
    .filter((state) => !reached.has(state))
    .map((state) => finding("unreachable", `/states/${state}`, `nothing leads from "${initial}" to "${state}"`));
  const traps = names
    .filter((state) => names.length > 1 && reached.has(state))
    .filter((state) => !possible.some(({ transition: { from, to } }) => from === state && to !== state))
    .map((state) => finding("trap", `/states/${state}`, `nothing leads out of "${state}"`));
  return [...unreachable, ...traps];
}

const MOST_MEETINGS = 100_000;

/** Two ways out of one state at once: which is taken would be chance. */
function overlaps(analysed: readonly Analysed[]): Finding[] {
  const found: Finding[] = [];
  const look = { left: MOST_MEETINGS };
  for (const one of analysed) {
    for (const other of analysed) {
      if (other.at <= one.at || one.transition.from !== other.transition.from) continue;
      if (one.transition.to === other.transition.to && one.transition.scale_by === other.transition.scale_by) continue;
      const met =
        one.region === undefined || other.region === undefined ? undefined : bothWithin(look, one.region, other.region);
      const known = met?.filter((box) => !isOpaque([box]));
      const witness = known === undefined ? undefined : witnessOf(known);
      if (witness === undefined) continue;
      const detail = `"${one.transition.name}" and "${other.transition.name}" must not hold at once in "${one.transition.from}"; both do for ${sayWitness(witness)}`;
      found.push(finding("overlap", `/transitions/${other.at}/when`, detail, witness));
    }
  }
  if (look.left >= 0) return found;
  return [...found, finding("not_analysed", "/transitions", "they ask too much to be held against each other")];
}

export function sayWitness(witness: Witness): string {
  const facts = Object.entries(witness).map(([fact, value]) => `${fact} = ${String(value)}`);
  return facts.length === 0 ? "any facts" : facts.join(", ");
}
