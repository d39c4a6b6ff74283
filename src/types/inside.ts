/**
 * Looking inside a closed type: what it says of a property or an item, through `$ref`, `allOf`, `anyOf` and `oneOf`. The
 * answer is a schema put together of all places that speak of it, and says no more than they do.
 */
import { isRecord, type JsonSchema } from "./definition.ts";

/** Schemas that one question may look at: a type can refer to itself, and its alternatives can repeat. */
const BUDGET = 1_000;

type Pick = (schema: Record<string, unknown>) => unknown;

/** What the type declares for that property; undefined where no `properties` names it. */
export function propertyOf(type: JsonSchema, name: string): JsonSchema | undefined {
  return part(type, type, ({ properties }) =>
    isRecord(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined,
  );
}

/** What it says of properties that it does not name; undefined where it says nothing. */
export function additionalOf(type: JsonSchema): JsonSchema | undefined {
  return part(type, type, ({ additionalProperties }) => additionalProperties);
}

/** What it says of the item at that place of an array. `schema` is a part of `type`. */
export function itemOf(type: JsonSchema, schema: JsonSchema, place: number): JsonSchema | undefined {
  return part(type, schema, ({ prefixItems, items }) =>
    Array.isArray(prefixItems) && place < prefixItems.length ? prefixItems[place] : items,
  );
}

function part(root: JsonSchema, schema: JsonSchema, pick: Pick): JsonSchema | undefined {
  const look = { budget: BUDGET };
  const at = (inner: unknown): JsonSchema | undefined => {
    if (!isRecord(inner) || --look.budget < 0) return undefined;
    const { $ref, allOf, anyOf, oneOf } = inner;
    const parts = [pick(inner), at(typeof $ref === "string" ? follow(root, $ref) : undefined)];
    if (Array.isArray(allOf)) parts.push(...allOf.map(at));
    for (const choices of [anyOf, oneOf]) {
      if (!Array.isArray(choices)) continue;
      const some = choices.map(at).filter((choice) => choice !== undefined);
      if (some.length > 0) parts.push({ anyOf: some });
    }
    const said = parts.filter((each): each is JsonSchema => typeof each === "boolean" || isRecord(each));
    return said.length > 1 ? { allOf: said } : said[0];
  };
  return at(schema);
}

/** Where a reference leads; undefined for what does not lead inside the type by a pointer or a stored type's name. */
export function follow(root: JsonSchema, reference: string): unknown {
  const defs = isRecord(root) && isRecord(root["$defs"]) ? root["$defs"] : {};
  if (reference.startsWith("type:")) return Object.hasOwn(defs, reference) ? defs[reference] : undefined;
  if (reference !== "#" && !reference.startsWith("#/")) return undefined;
  let at: unknown = root;
  for (const token of pointerTokens(decoded(reference.slice(1)))) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, token)) return undefined;
    at = (at as Record<string, unknown>)[token];
  }
  return at;
}

export function pointerTokens(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
