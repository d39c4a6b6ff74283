/** Comparing and measuring JSON values exactly as JSON Schema says. Both ways of checking use these. */

/** Whether a string has at least / at most so many code points; a surrogate pair is one. */
export function isAtLeastLong(text: string, length: number): boolean {
  return text.length >= length && (text.length >= length * 2 || codePoints(text) >= length);
}

export function isAtMostLong(text: string, length: number): boolean {
  return text.length <= length || (text.length <= length * 2 && codePoints(text) <= length);
}

function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    if ((text.charCodeAt(at) & 0xfc00) !== 0xd800 || (text.charCodeAt(at + 1) & 0xfc00) !== 0xdc00) continue;
    count--;
    at++;
  }
  return count;
}

/** Equal JSON values, and only those, have equal keys: 1.0 is 1, -0 is 0, the order of members does not count. */
export function keyOf(value: unknown): string {
  if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value) : String(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "undefined";
  if (Array.isArray(value)) return `[${value.map(keyOf).join(",")}]`;
  const members = Object.keys(value).toSorted();
  return `{${members.map((name) => `${JSON.stringify(name)}:${keyOf((value as Record<string, unknown>)[name])}`).join(",")}}`;
}

export function areUnique(items: readonly unknown[]): boolean {
  const primitives = new Set<unknown>();
  const containers = new Set<string>();
  for (const item of items) {
    if (typeof item === "object" && item !== null) containers.add(keyOf(item));
    else primitives.add(item);
  }
  return primitives.size + containers.size === items.length;
}

/** By the decimals as written, not by their binary neighbours: 0.3 is a multiple of 0.1. Infinity is of nothing. */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (!Number.isFinite(value)) return false;
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const [a, b] = [toDecimal(value), toDecimal(divisor)];
  const scale = Math.min(a.exponent, b.exponent);
  return (a.digits * 10n ** BigInt(a.exponent - scale)) % (b.digits * 10n ** BigInt(b.exponent - scale)) === 0n;
}

function toDecimal(value: number): { digits: bigint; exponent: number } {
  const [mantissa = "0", exponent = "0"] = value.toExponential().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

/** JSON Schema's word for a value's type; a whole number is "integer" only where that was asked for. */
export function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
}

export function isOfType(value: unknown, type: string): boolean {
  return type === "integer" ? Number.isInteger(value) : typeOf(value) === type;
}
