/**
 * A target as single goals. A target is a merge patch (RFC 7396): what it does not name may be as it is, null means that it
 * goes, and a key `*` stands for every key that is there. A list is one value.
 */
import { isObject, isSame, toPointer, type Json, type Path, type Value } from "./json.ts";
import { lookAt, type State } from "./state.ts";

/** `wanted` undefined: it must not be there. `among`: the place that a key `*` stands for, as long as something is there. */
export type Goal = { readonly key: string; readonly path: Path; readonly wanted: Value; readonly among?: Path };

export function goalsOf(target: Value, state: Value): Goal[] {
  const goals: Goal[] = [];
  collect(target, state, { path: [] }, goals);
  return goals;
}

function collect(target: Value, state: Value, at: { path: Path; among?: Path }, goals: Goal[]): void {
  const { path } = at;
  if (!isObject(target)) {
    goals.push({ key: toPointer(path), ...at, wanted: target === null ? undefined : target });
    return;
  }
  const members = membersOf(target, state);
  // An empty object asks only for an object to be there.
  if (members.length === 0 && !Object.hasOwn(target, "*")) goals.push({ key: toPointer(path), ...at, wanted: target });
  const inside = isObject(state) ? state : {};
  for (const [name, wanted] of members) {
    const place = [...path, name];
    const isNamed = name !== "*" && Object.hasOwn(target, name);
    const below = isNamed ? { ...at, path: place } : { path: place, among: place };
    collect(wanted, Object.hasOwn(inside, name) ? inside[name] : undefined, below, goals);
  }
}

function membersOf(target: Value & object, state: Value): [string, Value][] {
  const own = Object.entries(target as Record<string, Value>).filter(([name]) => name !== "*");
  if (!Object.hasOwn(target, "*")) return own;
  const named = new Set(own.map(([name]) => name));
  const wild = (target as Record<string, Value>)["*"];
  const others = isObject(state) ? Object.keys(state).filter((name) => !named.has(name)) : [];
  return [...own, ...others.map((name): [string, Value] => [name, wild])];
}

export function isMet({ path, wanted, among }: Goal, state: State): boolean {
  if (among !== undefined && lookAt(state, among) === undefined) return true;
  const value = lookAt(state, path);
  if (isObject(wanted)) return isObject(value);
  return isSame(value, wanted);
}

/** What the target wants at a path; `*` counts where the path has no name of its own there. null: that it goes. */
export function wantedAt(target: Value, path: Path): Value {
  let wanted = target;
  for (const part of path) {
    if (!isObject(wanted)) return undefined;
    wanted = Object.hasOwn(wanted, part) ? wanted[part] : wanted["*"];
  }
  return wanted;
}

/** The value as the target wants it: what the target does not name stays. undefined: it goes, or nothing is wanted of it. */
export function withTarget(value: Value, target: Value): Value {
  if (!isObject(target)) return target ?? undefined;
  const inside = isObject(value) ? value : {};
  const after = new Map<string, Value>(Object.entries(inside));
  for (const [name, wanted] of membersOf(target, inside)) {
    after.set(name, withTarget(Object.hasOwn(inside, name) ? inside[name] : undefined, wanted));
  }
  return Object.fromEntries([...after].filter((entry): entry is [string, Json] => entry[1] !== undefined));
}
