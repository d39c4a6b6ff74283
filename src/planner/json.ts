/** State as the planner handles it: JSON values, never changed, only replaced; and paths into them (RFC 6901). */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
/** undefined: there is nothing at that place. */
export type Value = Json | undefined;
type JsonObject = { readonly [key: string]: Json };

export type Path = readonly string[];

export function parsePointer(pointer: string): string[] {
  if (pointer === "" || pointer === "/") return [];
  if (!pointer.startsWith("/")) throw new TypeError(`a path must begin with "/"; it is ${JSON.stringify(pointer)}`);
  return pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function toPointer(path: Path): string {
  return path.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

export function isObject(value: Value): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Deeper than what comes as JSON from outside; a value inside itself has no end. */
const DEEPEST = 1_000;

/** Whether a callback has kept its word. A member that is undefined is none. */
export function isJson(value: unknown, depth = 0): value is Value {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return typeof value !== "function" && typeof value !== "bigint";
  return depth < DEEPEST && Object.values(value).every((each) => isJson(each, depth + 1));
}

/** A list is one value: nothing is found inside it. */
export function valueAt(state: Value, path: Path): Value {
  let found = state;
  for (const part of path) {
    if (!isObject(found) || !Object.hasOwn(found, part)) return undefined;
    found = found[part];
  }
  return found;
}

/** The state with another value there; undefined takes it away. All that is not on the way is shared with the old one. */
export function withValue(state: Value, path: Path, value: Value, depth = 0): Value {
  const part = path[depth];
  if (part === undefined) return value;
  const parent = isObject(state) ? state : {};
  const before = Object.hasOwn(parent, part) ? parent[part] : undefined;
  const after = withValue(before, path, value, depth + 1);
  if (after === before) return state;
  if (after === undefined) {
    const { [part]: _gone, ...rest } = parent;
    return rest;
  }
  return { ...parent, [part]: after };
}

export function isSame(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, at) => isSame(item, b[at] as Json))
    );
  }
  const [one, other] = [a as JsonObject, b as JsonObject];
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]))
  );
}

export type Change = { path: Path; before: Value; after: Value };

/** The smallest places where the two differ: objects are looked into, lists are not. */
export function differences(before: Value, after: Value, at: Path = []): Change[] {
  if (before === after) return [];
  if (!isObject(before) || !isObject(after)) return isSame(before, after) ? [] : [{ path: at, before, after }];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => {
    const [one, other] = [own(before, key), own(after, key)];
    return one === other ? [] : differences(one, other, [...at, key]);
  });
}

function own(object: JsonObject, key: string): Value {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Whether one of the two is inside the other, or they are the same place. */
export function overlap(a: Path, b: Path): boolean {
  const least = Math.min(a.length, b.length);
  for (let at = 0; at < least; at++) if (a[at] !== b[at]) return false;
  return true;
}
