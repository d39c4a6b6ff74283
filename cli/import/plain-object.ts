/** Objects that are a plain list of members, so that each can be a field of an operation's input. Pure. */
import { isDeepStrictEqual } from "node:util";
import { ASSERT_FORMATS } from "../../src/types/keywords.ts";
import { isObject, type Json } from "./_obstacle.ts";
import type { Schema, TypeBuilder } from "./type-builder.ts";

export type PlainObject = {
  properties: Record<string, Schema>;
  required: readonly string[];
  /** undefined: nothing is said, so anything may stand beside. */
  rest: Schema | undefined;
  /** What else it says and an input can say as well. */
  more: Json;
};

const PLAIN = new Set([
  "$comment",
  "additionalProperties",
  "deprecated",
  "description",
  "examples",
  "properties",
  "required",
  "title",
  "type",
  ASSERT_FORMATS,
]);
const CARRIED = ["title", "description", ASSERT_FORMATS];

/** undefined: there is more to it. */
export function plainObject(schema: Schema, types: TypeBuilder, depth = 0): PlainObject | undefined {
  const followed = types.follow(schema);
  if (!isObject(followed) || depth > 8) return undefined;
  const { allOf, ...own } = followed;
  if (Object.keys(own).some((keyword) => !PLAIN.has(keyword))) return undefined;
  const { type, properties = {}, required = [], additionalProperties: rest } = own;
  if (!isObject(properties) || !Array.isArray(required)) return undefined;
  const parts = Array.isArray(allOf) ? allOf.map((part) => plainObject(part as Schema, types, depth + 1)) : [];
  if (type !== "object" && !(type === undefined && (own["properties"] !== undefined || parts.length > 0)))
    return undefined;
  const more = Object.fromEntries(
    CARRIED.filter((keyword) => own[keyword] !== undefined).map((keyword) => [keyword, own[keyword]]),
  );
  const self: PlainObject = {
    properties: properties as Record<string, Schema>,
    required: required as string[],
    rest: rest as Schema | undefined,
    more,
  };
  return parts.reduce<PlainObject | undefined>(merge, self);
}

/** What fits both. undefined: that is no plain list. */
function merge(one: PlainObject | undefined, other: PlainObject | undefined): PlainObject | undefined {
  if (one === undefined || other === undefined) return undefined;
  // Each would refuse the other's members.
  if (![one.rest, other.rest].every((rest) => rest === undefined || rest === true)) return undefined;
  const clash = Object.keys(other.properties).some(
    (name) => Object.hasOwn(one.properties, name) && !isDeepStrictEqual(one.properties[name], other.properties[name]),
  );
  if (clash) return undefined;
  return {
    properties: { ...one.properties, ...other.properties },
    required: [...new Set([...one.required, ...other.required])],
    rest: undefined,
    more: { ...other.more, ...one.more },
  };
}

/** Whether nothing but an object fits, as far as that can be seen. */
export function mustBeObject(schema: Schema, types: TypeBuilder, depth = 0): boolean {
  const followed = types.follow(schema);
  if (!isObject(followed) || depth > 8) return false;
  const { type, allOf, anyOf, oneOf } = followed;
  if (type === "object") return true;
  const does = (part: unknown): boolean => mustBeObject(part as Schema, types, depth + 1);
  if (Array.isArray(allOf) && allOf.some(does)) return true;
  return [anyOf, oneOf].some((choices) => Array.isArray(choices) && choices.length > 0 && choices.every(does));
}
