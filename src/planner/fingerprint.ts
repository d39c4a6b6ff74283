/**
 * A state's fingerprint, kept up to date change by change: two sums over all places, each a hash of one and what is there.
 * Equal states have equal fingerprints; that two others agree has odds of one in 2^64, and would only hide one way.
 */
import { isObject, toPointer, type Change, type Value } from "./json.ts";

export type Fingerprint = readonly [number, number];
export const EMPTY: Fingerprint = [0, 0];

export function changed([one, other]: Fingerprint, changes: readonly Change[]): Fingerprint {
  let [a, b] = [one, other];
  for (const { path, before, after } of changes) {
    const place = toPointer(path);
    for (const value of [before, after]) {
      for (const leaf of leavesOf(value, place)) {
        a ^= hash(leaf, 0x811c9dc5);
        b ^= hash(leaf, 0x9e3779b9);
      }
    }
  }
  return [a, b];
}

export function keyOf([a, b]: Fingerprint): string {
  return `${a >>> 0}:${b >>> 0}`;
}

function* leavesOf(value: Value, place: string): Generator<string> {
  if (value === undefined) return;
  if (!isObject(value)) return yield `${place}=${JSON.stringify(value)}`;
  // An object is there by itself, whatever is in it.
  yield `${place}=`;
  for (const [name, member] of Object.entries(value)) yield* leavesOf(member, place + toPointer([name]));
}

/** FNV-1a, stirred at the end as in MurmurHash3. */
function hash(text: string, seed: number): number {
  let sum = seed;
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return sum ^ (sum >>> 16);
}
