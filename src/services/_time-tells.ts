/**
 * When a requirement's answer may change though nothing happens: by the clock, by idling, or because what it asks can only be asked
 * again. All other facts change with an event, and whoever learns of that looks anyway; so a service that is asleep is left alone.
 */
import { compares, minutesIn, type Facts } from "../machines/evaluate.ts";
import { numberOf } from "../machines/regions.ts";
import type { Fact, Leaf, Requirement } from "../model/state-machines.ts";

/** How often what tells nobody when it changes is asked. */
export const POLL_MS = 5_000;

const MINUTE_MS = 60_000;

/** `decided`: whatever time does. `at`: when the answer may be another, milliseconds since the epoch; null: never by itself. */
type Told = { readonly decided: boolean | undefined; readonly at: number | null };

type Comparison = Extract<Leaf, { op: string }>;

export function timeTells(requirement: Requirement, facts: Facts): Told {
  if ("not" in requirement) {
    const { decided, at } = timeTells(requirement.not, facts);
    return { decided: decided === undefined ? undefined : !decided, at };
  }
  if ("all" in requirement) return combined(requirement.all, false, facts);
  if ("any" in requirement) return combined(requirement.any, true, facts);
  return leafTells(requirement, facts);
}

/** `decisive`: the answer of one part that decides the whole. */
function combined(parts: readonly Requirement[], decisive: boolean, facts: Facts): Told {
  const told = parts.map((part) => timeTells(part, facts));
  if (told.some(({ decided }) => decided === decisive)) return { decided: decisive, at: null };
  if (told.every(({ decided }) => decided !== undefined)) return { decided: !decisive, at: null };
  return { decided: undefined, at: earliest(told.map(({ at }) => at)) };
}

function leafTells(leaf: Leaf, facts: Facts): Told {
  const { now } = facts;
  if ("operation" in leaf || "expression" in leaf) return open(now + POLL_MS);
  if ("between" in leaf) {
    const [from, until] = leaf.between.map(numberOf) as [number, number];
    if (from === until) return { decided: true, at: null };
    return open(earliest([from, until].map((minute) => nextTime(minute, leaf.time_zone, now))));
  }
  switch (leaf.fact) {
    case "time_of_day": {
      const minute = numberOf(leaf.value);
      return open(earliest([minute, minute + 1, 0].map((each) => nextTime(each, "UTC", now))));
    }
    case "idle_seconds":
    case "seconds_in_state":
      return open(growsTo(leaf, facts));
    case "requests_per_second":
    case "cpu":
      // What is not there does nothing.
      return facts.replicas === 0 && !facts[leaf.fact] ? still(leaf, leaf.fact, facts) : open(now + POLL_MS);
    case "waiting":
    case "replicas":
    case "healthy":
    case "new_revision":
    case "candidate_healthy":
      return still(leaf, leaf.fact, facts);
  }
}

function open(at: number | null): Told {
  return { decided: undefined, at };
}

function still(leaf: Comparison, fact: Exclude<Fact, "time_of_day">, facts: Facts): Told {
  const actual = facts[fact];
  return {
    decided: actual === undefined ? undefined : compares(leaf.op, Number(actual), numberOf(leaf.value)),
    at: null,
  };
}

/** When seconds that only grow come to a value, and past it. */
function growsTo({ fact, value }: Comparison, facts: Facts): number | null {
  const seconds = facts[fact as "idle_seconds" | "seconds_in_state"];
  // Who idles is known as soon as all who send requests have told.
  if (seconds === undefined) return facts.now + POLL_MS;
  const leftMs = Math.ceil((numberOf(value) - Number(seconds)) * 1_000);
  if (leftMs > 0) return facts.now + leftMs;
  return leftMs === 0 ? facts.now + 1 : null;
}

/** When it is that minute of the day next, or clocks are put forward or back before. */
function nextTime(minute: number, zone: string, now: number): number | null {
  const time = minutesIn(now, zone);
  if (time === undefined) return null;
  const begun = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  const at = begun + ((minute - time + 1440) % 1440 || 1440) * MINUTE_MS;
  if (offsetAt(at, zone) === offsetAt(begun, zone)) return at;
  let [before, after] = [begun, at];
  while (after - before > MINUTE_MS) {
    const middle = before + Math.floor((after - before) / MINUTE_MS / 2) * MINUTE_MS;
    if (offsetAt(middle, zone) === offsetAt(begun, zone)) before = middle;
    else after = middle;
  }
  return after;
}

/** In minutes, of the day. */
function offsetAt(at: number, zone: string): number {
  return ((minutesIn(at, zone) ?? 0) - (minutesIn(at, "UTC") ?? 0) + 1440) % 1440;
}

export function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}
