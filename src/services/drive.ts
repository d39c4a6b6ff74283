/**
 * Which transition a service takes now, and when it is worth to look again. Of several that hold the first in the row is taken; one
 * that is not known to hold is not. Facts come from outside, but for the time in the state.
 */
import { evaluate, type Ask, type Facts } from "../machines/evaluate.ts";
import type { StateMachine, Transition } from "../model/state-machines.ts";
import { earliest, timeTells } from "./_time-tells.ts";

/** Times are milliseconds since the epoch. */
export type Situation = {
  machine: StateMachine;
  state: string;
  since: number;
  /** Transition → when it was taken last. */
  taken: Readonly<Record<string, number>>;
  facts: Facts;
};

export type Way = {
  transition: Transition;
  /** undefined: not known. */
  holds: boolean | undefined;
  because: readonly string[];
  /** Held back by its cooldown until then. */
  notBefore: number | null;
};

/** `take`: also a transition that scales; how many that makes is for whoever takes it. `next`: all ways out of the state, in order. */
export type Driven = { take?: Transition; next: Way[] };

/** Operations and expressions are asked only where their answer could move it now. */
export async function drive(situation: Situation, ask: Ask): Promise<Driven> {
  const facts = factsOf(situation);
  let take: Transition | undefined;
  const next: Way[] = [];
  for (const transition of waysOut(situation)) {
    const notBefore = cooldownOf(transition, situation);
    const isIdle = take !== undefined || notBefore !== null;
    // One after another: what a transition before it decides need not be asked.
    const { holds, because } = await evaluate(transition.when, facts, isIdle ? unasked : ask);
    next.push({ transition, holds, because, notBefore });
    if (holds === true && !isIdle) take = transition;
  }
  return take === undefined ? { next } : { take, next };
}

/** When time alone may change which transition is taken, always after now; null: never. */
export function lookAgainAt(situation: Situation): number | null {
  const facts = factsOf(situation);
  return earliest(
    waysOut(situation).map((transition) => {
      const { decided, at } = timeTells(transition.when, facts);
      if (decided === false) return null;
      const notBefore = cooldownOf(transition, situation);
      return notBefore === null ? at : Math.max(notBefore, at ?? notBefore);
    }),
  );
}

function factsOf({ facts, since }: Situation): Facts {
  return { ...facts, seconds_in_state: Math.max(0, facts.now - since) / 1_000 };
}

function waysOut({ machine, state }: Situation): readonly Transition[] {
  return machine.transitions.filter(({ from }) => from === state);
}

function cooldownOf({ name, cooldown_s: seconds }: Transition, { taken, facts }: Situation): number | null {
  const last = Object.hasOwn(taken, name) ? taken[name] : undefined;
  const until = last === undefined ? 0 : last + Math.ceil(seconds * 1_000);
  return until > facts.now ? until : null;
}

async function unasked(): Promise<undefined> {
  return undefined;
}
