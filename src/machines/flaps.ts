/**
 * Rounds that a service could go for ever while nothing but itself changes: transitions that lead back to where they began and whose
 * guards all hold for the same facts, and two that scale and undo each other. What a transition changes by itself (MOVED) is left
 * out of the guards, since it does not keep the next one from being taken; so a round that is found may be one that ends by that,
 * and none is missed, except those that hang on what nothing is known of.
 */
import type { Requirement, StateMachine, Transition } from "../model/state-machines.ts";
import {
  both,
  bothWithin,
  EVERYWHERE,
  isOpaque,
  regionOf,
  shifted,
  witnessOf,
  type Region,
  type Witness,
} from "./regions.ts";

type Placed = { readonly transition: Transition; readonly at: number };
export type Flap = { readonly round: readonly Placed[]; readonly witness: Witness; readonly isScaling: boolean };

/** Boxes that are brought together, and rounds that are found, until it is too much. */
const MOST_BOXES = 20_000;
const MOST_ROUNDS = 16;

const MOVED: ReadonlySet<string> = new Set(["seconds_in_state", "healthy", "candidate_healthy", "replicas"]);
/** Between states that run the same, only the name and the time change. */
const MOVED_BY_NAME: ReadonlySet<string> = new Set(["seconds_in_state", "replicas"]);
/** Scaling changes replicas by so many: that need not be left out. */
const MOVED_BY_SCALING: ReadonlySet<string> = new Set(["seconds_in_state", "healthy", "candidate_healthy"]);

/** `complete`: whether all could be looked through. */
export function flapsOf(
  transitions: readonly Placed[],
  states: StateMachine["states"],
): { flaps: Flap[]; complete: boolean } {
  const leading = transitions.filter(({ transition: { from, to } }) => from !== to);
  const { rounds, complete } = roundsOf(leading);
  const scaled = new Set(transitions.flatMap(({ transition: { from, to } }) => (from === to ? [from] : [])));
  const flaps = rounds.filter(({ round }) => {
    const through = round.map(({ transition }) => transition.from);
    const [first, ...others] = through.map((name) => states[name]);
    const isSame = others.every((other) => other?.replicas === first?.replicas && other?.revision === first?.revision);
    return !isSame || through.some((name) => scaled.has(name)) || metOf(round, MOVED_BY_NAME) !== undefined;
  });
  const scaling = scalings(transitions);
  return { flaps: [...scaling.flaps, ...flaps], complete: complete && scaling.complete };
}

function metOf(round: readonly Placed[], moved: ReadonlySet<string>): Witness | undefined {
  let met: Region | undefined = EVERYWHERE;
  for (const { transition } of round) met = both(met ?? [], knownRegion(transition.when, moved) ?? []);
  return witnessOf(met ?? []);
}

function scalings(transitions: readonly Placed[]): { flaps: Flap[]; complete: boolean } {
  const scaling = transitions.filter(({ transition: { from, to, scale_by: by } }) => from === to && by !== null);
  const regions = new Map(scaling.map((each) => [each, knownRegion(each.transition.when, MOVED_BY_SCALING)]));
  const look = { left: MOST_BOXES };
  const flaps: Flap[] = [];
  for (const out of scaling) {
    const by = out.transition.scale_by ?? 0;
    if (by <= 0) continue;
    for (const back of scaling) {
      if (back.transition.from !== out.transition.from || (back.transition.scale_by ?? 0) >= 0) continue;
      // The service's own bounds may let it add less.
      const [first, then] = [regions.get(out), regions.get(back)];
      if (first === undefined || then === undefined) continue;
      const witness = witnessOf(bothWithin(look, first, shifted(then, { fact: "replicas", by })) ?? []);
      if (witness === undefined) continue;
      flaps.push({ round: [out, back].toSorted((a, b) => a.at - b.at), witness, isScaling: true });
    }
  }
  return { flaps, complete: look.left >= 0 };
}

/** Each round once, from the state of it that comes first. */
function roundsOf(transitions: readonly Placed[]): { rounds: Flap[]; complete: boolean } {
  const order = [...new Set(transitions.map(({ transition }) => transition.from))];
  const ways = Map.groupBy(transitions, ({ transition }) => transition.from);
  const regions = new Map(transitions.map((each) => [each, knownRegion(each.transition.when, MOVED)]));
  const rounds: Flap[] = [];
  let left = MOST_BOXES;
  const walk = (round: readonly Placed[], region: Region, first: string): void => {
    const here = round.at(-1)?.transition.to ?? first;
    for (const each of ways.get(here) ?? []) {
      const { to } = each.transition;
      const isPassed = order.indexOf(to) < order.indexOf(first) || round.some(({ transition }) => transition.to === to);
      if ((to !== first && isPassed) || left <= 0) continue;
      const guard = regions.get(each) ?? [];
      left -= 1 + region.length * guard.length;
      const met = both(region, guard);
      if (met === undefined) left = 0;
      if (met === undefined || met.length === 0) continue;
      if (to !== first) walk([...round, each], met, first);
      else rounds.push({ round: [...round, each], witness: witnessOf(met) as Witness, isScaling: false });
      if (rounds.length === MOST_ROUNDS) left = 0;
    }
  };
  for (const first of order) walk([], EVERYWHERE, first);
  return { rounds, complete: left > 0 };
}

/** Without what a transition moves by itself, and where nothing unknown is needed. */
function knownRegion(requirement: Requirement, moved: ReadonlySet<string>): Region | undefined {
  return regionOf(outside(requirement, moved))?.filter((box) => !isOpaque([box]));
}

/** `holds`: whether a part must hold or must not; what is left out is so either way. */
function outside(requirement: Requirement, moved: ReadonlySet<string>, holds = true): Requirement {
  if ("not" in requirement) return { not: outside(requirement.not, moved, !holds) };
  if ("all" in requirement) return { all: requirement.all.map((part) => outside(part, moved, holds)) };
  if ("any" in requirement) return { any: requirement.any.map((part) => outside(part, moved, holds)) };
  if (!("fact" in requirement) || !moved.has(requirement.fact)) return requirement;
  return holds ? { all: [] } : { not: { all: [] } };
}
