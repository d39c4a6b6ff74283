/**
 * A state's fingerprint, kept up to date change by change: two sums over all leaves, each a hash of a place and its value.
 * Equal states have equal fingerprints; that two others agree has odds of one in 2^64, and would only hide one way.
 */
import { isObject, type Change, type Value } from "./json.ts";

export type Fingerprint = readonly [number, number];
export const EMPTY: Fingerprint = [0, 0];

export function changed([one, other]: Fingerprint, changes: readonly Change[]): Fingerprint {
  let [a, b] = [one, other];
  for (const { path, before, after } of changes) {
    const place = path.join("/");
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
  const members = isObject(value) ? Object.entries(value) : [];
  if (members.length === 0) yield `${place}=${JSON.stringify(value)}`;
  for (const [name, member] of members) yield* leavesOf(member, `${place}/${name}`);
}

/** FNV-1a, stirred at the end as in MurmurHash3. */
function hash(text: string, seed: number): number {
  let sum = seed;
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return sum ^ (sum >>> 16);
}
