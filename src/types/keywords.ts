/** The keywords of JSON Schema 2020-12: which hold schemas and how, and which only say something about a schema. */

/** How a keyword's value holds schemas. */
export const SUBSCHEMAS: Readonly<Record<string, "one" | "list" | "map">> = {
  $defs: "map",
  // Not of 2020-12 any more, but its metaschema still checks it and references still lead into it.
  definitions: "map",
  additionalProperties: "one",
  allOf: "list",
  anyOf: "list",
  contains: "one",
  dependentSchemas: "map",
  else: "one",
  if: "one",
  items: "one",
  not: "one",
  oneOf: "list",
  patternProperties: "map",
  prefixItems: "list",
  properties: "map",
  propertyNames: "one",
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword's name; this table is never awaited
  then: "one",
  unevaluatedItems: "one",
  unevaluatedProperties: "one",
};

/** Keywords that decide a verdict and hold plain values. */
export const ASSERTIONS: ReadonlySet<string> = new Set([
  "$anchor",
  "$dynamicAnchor",
  "$dynamicRef",
  "$id",
  "$ref",
  "const",
  "dependentRequired",
  "enum",
  "exclusiveMaximum",
  "exclusiveMinimum",
  "format",
  "maxContains",
  "maxItems",
  "maxLength",
  "maxProperties",
  "maximum",
  "minContains",
  "minItems",
  "minLength",
  "minProperties",
  "minimum",
  "multipleOf",
  "pattern",
  "required",
  "type",
  "uniqueItems",
]);

/** Whether formats are checked in this schema and those written inside it. Ours; the standard lets `x-` keywords be. */
export const ASSERT_FORMATS = "x-assert-formats";

export const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** The schemas directly inside one, each with the keyword and the pointer tokens that lead to it. */
export function* subschemas(
  schema: Readonly<Record<string, unknown>>,
): Generator<{ keyword: string; tokens: string[]; schema: unknown }> {
  for (const [keyword, value] of Object.entries(schema)) {
    const how = Object.hasOwn(SUBSCHEMAS, keyword) ? SUBSCHEMAS[keyword] : undefined;
    if (how === "one") {
      yield { keyword, tokens: [keyword], schema: value };
    } else if (how === "list" && Array.isArray(value)) {
      for (const [index, item] of value.entries()) yield { keyword, tokens: [keyword, String(index)], schema: item };
    } else if (how === "map" && typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [name, item] of Object.entries(value)) yield { keyword, tokens: [keyword, name], schema: item };
    }
  }
}
