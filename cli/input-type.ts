/** What an input type says about one of its members, as far as a command line needs to know it: is it text? */
import type { JsonObject } from "./registry.ts";

export type Schema = boolean | JsonObject;

/** Whether every way in which the type lets the property be present and not null makes it a string. */
export function isText(schema: Schema, key: string): boolean {
  const found = propertySchemas(schema, schema, key, 0);
  return found.some((one) => saysString(one, schema, 0)) && !found.some((one) => saysOther(one, schema, 0));
}

/** The JSON types that the type names for a property: none when it says nothing of it. */
export function typesOf(schema: Schema, key: string): string[] {
  return [...new Set(propertySchemas(schema, schema, key, 0).flatMap((one) => allTypes(one, schema, 0)))];
}

function allTypes(schema: Schema, root: Schema, depth: number): string[] {
  if (typeof schema === "boolean" || depth > 16) return [];
  return [...namedTypes(schema), ...branches(schema, root).flatMap((branch) => allTypes(branch, root, depth + 1))];
}

function propertySchemas(schema: Schema, root: Schema, key: string, depth: number): Schema[] {
  if (typeof schema === "boolean" || depth > 16) return [];
  const here = (schema["properties"] ?? {}) as Record<string, Schema>;
  const rest = schema["additionalProperties"];
  const own = Object.hasOwn(here, key) ? [here[key] ?? true] : [];
  const open = own.length === 0 && typeof rest === "object" && rest !== null ? [rest as Schema] : [];
  const below = branches(schema, root).flatMap((branch) => propertySchemas(branch, root, key, depth + 1));
  return below.length > 0 && own.length === 0 ? below : [...own, ...open, ...below];
}

export function propertyNames(schema: Schema, root: Schema = schema, depth = 0): string[] {
  if (typeof schema === "boolean" || depth > 16) return [];
  return [
    ...Object.keys(schema["properties"] ?? {}),
    ...branches(schema, root).flatMap((branch) => propertyNames(branch, root, depth + 1)),
  ];
}

function branches(schema: JsonObject, root: Schema): Schema[] {
  const lists = ["allOf", "anyOf", "oneOf"].flatMap((word) => (schema[word] ?? []) as Schema[]);
  const target = typeof schema["$ref"] === "string" ? followLocal(root, schema["$ref"]) : undefined;
  return target === undefined ? lists : [...lists, target];
}

function followLocal(root: Schema, reference: string): Schema | undefined {
  if (!reference.startsWith("#")) return undefined;
  let at: unknown = root;
  for (const part of reference.slice(1).split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as JsonObject)[key];
  }
  return typeof at === "boolean" || (typeof at === "object" && at !== null) ? (at as Schema) : undefined;
}

/** The JSON types that a schema names for itself: by `type`, `const` or `enum`. */
function namedTypes(schema: JsonObject): string[] {
  if (Object.hasOwn(schema, "const")) return [jsonTypeOf(schema["const"])];
  if (Array.isArray(schema["enum"])) return schema["enum"].map(jsonTypeOf);
  const type = schema["type"];
  return Array.isArray(type) ? type.map(String) : typeof type === "string" ? [type] : [];
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function saysString(schema: Schema, root: Schema, depth: number): boolean {
  if (typeof schema === "boolean" || depth > 16) return false;
  return (
    namedTypes(schema).includes("string") ||
    branches(schema, root).some((branch) => saysString(branch, root, depth + 1))
  );
}

function saysOther(schema: Schema, root: Schema, depth: number): boolean {
  if (typeof schema === "boolean" || depth > 16) return false;
  return (
    namedTypes(schema).some((type) => type !== "string" && type !== "null") ||
    branches(schema, root).some((branch) => saysOther(branch, root, depth + 1))
  );
}
