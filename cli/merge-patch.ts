/**
 * The merge patch (RFC 7396) that turns one content into another. A patch instead of a whole replacement, because the
 * registry resolves anew only what a write mentions: an edit of a description must not bring in newer code.
 */
import { canonicalJson } from "../src/core/hash.ts";
import type { JsonObject } from "./registry.ts";

/**
 * `{}` when they are equal. undefined when no merge patch can say it: null inside a patch means "remove", so a new
 * value that holds a null in a nested object cannot be written as one.
 */
export function diffPatch(before: JsonObject, after: JsonObject): JsonObject | undefined {
  const patch: JsonObject = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, next] = [before[key], after[key]];
    if (canonicalJson(old) === canonicalJson(next) && (old === undefined) === (next === undefined)) continue;
    if (isObject(old) && isObject(next)) {
      const inner = diffPatch(old, next);
      // On this level null and missing are the same for every entry: a nullable field is null by default. Deeper
      // inside (a JSON Schema's `default: null`) they are not.
      if (inner === undefined || Object.keys(inner).some((name) => inner[name] === null && next[name] === null))
        return undefined;
      patch[key] = inner;
    } else {
      if (isObject(next) && holdsNull(next)) return undefined;
      patch[key] = next ?? null;
    }
  }
  return patch;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Arrays are replaced whole, so nulls in them are safe. */
function holdsNull(value: JsonObject): boolean {
  return Object.values(value).some((member) => member === null || (isObject(member) && holdsNull(member)));
}
