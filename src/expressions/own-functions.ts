/** Built-in functions that JSONata's own code cannot be kept for; each says why. They answer as JSONata's do. */
import type { Focus } from "./hooks.ts";
import { isFunction } from "./meter.ts";

type Own = (this: Focus, ...args: readonly unknown[]) => unknown;
type Compare = (a: unknown, b: unknown) => unknown;

/** JSONata's merge sort copies what is left for every item that it places: n²/2 items copied, and kept until the end. */
const sort: Own = async function (items, comparator) {
  if (items === undefined || !Array.isArray(items) || items.length <= 1) return items;
  let compare: Compare;
  if (typeof comparator === "function") {
    compare = (a, b) => comparator.call(this, a, b) as unknown;
  } else {
    const kind = typeof items[0];
    if ((kind !== "number" && kind !== "string") || items.some((item) => typeof item !== kind)) {
      throw failure("D3070", { index: 1 });
    }
    return items.toSorted((a: string | number, b: string | number) => (a > b ? 1 : a < b ? -1 : 0));
  }
  let runs: unknown[][] = items.map((item: unknown) => [item]);
  while (runs.length > 1) {
    const merged: unknown[][] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(await merge(runs[at] ?? [], runs[at + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0];
};

async function merge(left: unknown[], right: unknown[], compare: Compare): Promise<unknown[]> {
  const out: unknown[] = [];
  let [l, r] = [0, 0];
  while (l < left.length && r < right.length) {
    // Whatever JavaScript takes for true, as JSONata does here.
    const swap = Boolean(await compare(left[l], right[r]));
    out.push(swap ? right[r++] : left[l++]);
  }
  while (l < left.length) out.push(left[l++]);
  while (r < right.length) out.push(right[r++]);
  return out;
}

/** JSONata compares each with each, and the keys of two objects by sorting both. */
const distinct: Own = (items) => {
  if (!Array.isArray(items) || items.length <= 1) return items;
  const seen = new Set<unknown>();
  const out: unknown[] = [];
  for (const item of items as unknown[]) {
    const key = canonical(item);
    if (seen.has(key)) continue;
    seen.add(key);
    out.push(item);
  }
  // A sequence stays one: alone in it, an item stands for itself.
  return "sequence" in items ? Object.assign(out, { sequence: true }) : out;
};

/** Equal for what JSONata's `=` holds equal. A function equals itself. */
function canonical(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return typeof value === "string" ? `"${value}` : value;
  if (isFunction(value)) return value;
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    const entries = Object.entries(member);
    return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** JSONata's use Node's Buffer, which is not there in workerd. */
const base64encode: Own = (text) => {
  if (typeof text !== "string") return undefined;
  try {
    return btoa(text);
  } catch {
    throw failure("D3137", { message: "$base64encode takes characters up to U+00FF, one for each byte" });
  }
};

const base64decode: Own = (text) => {
  if (typeof text !== "string") return undefined;
  try {
    return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw failure("D3137", { message: "$base64decode takes base64" });
  }
};

/** As JSONata throws: it puts the message of the code in, and the position. */
function failure(code: string, more: { index?: number; message?: string }): Error {
  return Object.assign(new Error(more.message ?? code), { code, ...more });
}

export const OWN: Readonly<Record<string, Own>> = { sort, distinct, base64encode, base64decode };
