/**
 * The shape that the metaschema demands of each keyword the fast way knows. A schema taken by the fast way is not
 * checked against the metaschema, so these must not be laxer than it.
 */
import { isRecord } from "./definition.ts";
import { ASSERT_FORMATS, DIALECT } from "./keywords.ts";

export const ANNOTATIONS: Readonly<Record<string, (value: unknown) => boolean>> = {
  $comment: isString,
  $schema: (value) => value === DIALECT,
  title: isString,
  description: isString,
  default: () => true,
  examples: Array.isArray,
  deprecated: isBoolean,
  readOnly: isBoolean,
  writeOnly: isBoolean,
  contentEncoding: isString,
  contentMediaType: isString,
  [ASSERT_FORMATS]: isBoolean,
};

/** Keywords of each type that the fast way knows, with the shape that their value must have. */
export const KEYWORDS: Readonly<Record<string, Readonly<Record<string, (value: unknown) => boolean>>>> = {
  string: { minLength: isCount, maxLength: isCount, pattern: isString, format: isString },
  number: {
    minimum: isNumber,
    maximum: isNumber,
    exclusiveMinimum: isNumber,
    exclusiveMaximum: isNumber,
    multipleOf: (value) => isNumber(value) && (value as number) > 0,
  },
  array: { items: isSchema, minItems: isCount, maxItems: isCount, uniqueItems: isBoolean },
  object: {
    properties: (value) => isRecord(value) && Object.values(value).every(isSchema),
    required: (value) => Array.isArray(value) && value.every(isString) && new Set(value).size === value.length,
    additionalProperties: isSchema,
    minProperties: isCount,
    maxProperties: isCount,
  },
  boolean: {},
  null: {},
};

/** The types a schema names, [] for none, undefined for a malformed keyword. */
export function typesOf(schema: Record<string, unknown>): string[] | undefined {
  const type = schema["type"];
  if (type === undefined) return [];
  const types = (Array.isArray(type) ? type : [type]) as unknown[];
  const good = types.every((name) => typeof name === "string" && (name === "integer" || Object.hasOwn(KEYWORDS, name)));
  return good && types.length > 0 && new Set(types).size === types.length ? (types as string[]) : undefined;
}

export function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isNumber(value: unknown): boolean {
  return Number.isFinite(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isSchema(value: unknown): boolean {
  return typeof value === "boolean" || isRecord(value);
}

export function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== "object" && (typeof value !== "number" || Number.isFinite(value)));
}
