/**
 * A JSON Schema as lines that a person reads: each member with its type, whether it must be there, its default and
 * its limits. What it has no words for it shows as JSON; it leaves nothing out.
 */
import type { JsonObject } from "../registry.ts";

type Schema = unknown;
type Line = { depth: number; name: string; text: string };

/** Keywords said in words here; every other one is shown as it stands. */
const WORDS: Readonly<Record<string, (value: unknown) => string>> = {
  minimum: (value) => `≥ ${show(value)}`,
  maximum: (value) => `≤ ${show(value)}`,
  exclusiveMinimum: (value) => `> ${show(value)}`,
  exclusiveMaximum: (value) => `< ${show(value)}`,
  minLength: (value) => `at least ${show(value)} characters`,
  maxLength: (value) => `at most ${show(value)} characters`,
  minItems: (value) => `at least ${show(value)} items`,
  maxItems: (value) => `at most ${show(value)} items`,
  pattern: (value) => `matches /${String(value)}/`,
  format: (value) => `format ${String(value)}`,
  default: (value) => `default ${show(value)}`,
  description: (value) => `— ${String(value).replaceAll(/\s+/g, " ")}`,
};
const SILENT = new Set([
  "x-assert-formats",
  "type",
  "properties",
  "required",
  "items",
  "$ref",
  "$defs",
  "$schema",
  "$id",
  "title",
  "enum",
  "const",
  "anyOf",
  "oneOf",
]);

export function renderSchema(schema: Schema, indent = "  "): string {
  const lines: Line[] = [];
  add(lines, "", schema, schema, { depth: 0, required: true });
  const width = Math.max(0, ...lines.map(({ depth, name }) => depth * 2 + name.length));
  return lines
    .map(
      ({ depth, name, text }) =>
        indent + (name === "" ? text : `${" ".repeat(depth * 2)}${name}`.padEnd(width) + `  ${text}`),
    )
    .join("\n");
}

function add(
  lines: Line[],
  name: string,
  schema: Schema,
  root: Schema,
  place: { depth: number; required: boolean },
): void {
  const { target, circular } = resolve(schema, root, place.depth);
  const isRoot = name === "" && place.depth === 0;
  lines.push({ depth: place.depth, name, text: summary(target, root, place.required || isRoot) });
  if (circular || typeof target !== "object" || target === null) return;
  const below = isRoot ? 0 : place.depth + 1;
  addMembers(lines, target as JsonObject, root, below);
  const items = resolve((target as JsonObject)["items"], root, place.depth).target;
  if (typeof items === "object" && items !== null) addMembers(lines, items as JsonObject, root, below, "[].");
}

function addMembers(lines: Line[], schema: JsonObject, root: Schema, depth: number, prefix = ""): void {
  if (depth > 12) return;
  const required = (schema["required"] ?? []) as string[];
  for (const [key, member] of Object.entries((schema["properties"] ?? {}) as JsonObject)) {
    add(lines, prefix + key, member, root, { depth, required: required.includes(key) });
  }
}

function summary(schema: Schema, root: Schema, required: boolean): string {
  if (schema === true || schema === undefined) return `any${required ? "" : ", optional"}`;
  if (typeof schema !== "object" || schema === null) return "nothing fits";
  const words = Object.entries(schema)
    .filter(([keyword]) => !SILENT.has(keyword))
    .map(([keyword, value]) => (WORDS[keyword] ?? ((plain) => fallback(keyword, plain)))(value))
    .filter((text) => text !== "");
  const description = words.filter((word) => word.startsWith("— "));
  return [
    typeName(schema as JsonObject, root),
    ...(required ? [] : ["optional"]),
    ...words.filter((word) => !word.startsWith("— ")),
  ]
    .join(", ")
    .concat(description.map((word) => ` ${word}`).join(""));
}

function fallback(keyword: string, value: unknown): string {
  if (keyword === "additionalProperties" || keyword === "unevaluatedProperties") {
    return value === false
      ? "nothing else"
      : value === true
        ? ""
        : `others: ${typeName(value as JsonObject, undefined)}`;
  }
  return `${keyword} ${show(value)}`;
}

function typeName(schema: JsonObject, root: Schema): string {
  if (Object.hasOwn(schema, "const")) return show(schema["const"]);
  if (Array.isArray(schema["enum"])) return schema["enum"].map(show).join(" | ");
  for (const word of ["anyOf", "oneOf"]) {
    if (Array.isArray(schema[word])) {
      return schema[word].map((one) => named(one, root)).join(" | ");
    }
  }
  const type = schema["type"];
  if (type === "array" && schema["items"] !== undefined) return `list of ${named(schema["items"], root)}`;
  if (Array.isArray(type)) return type.join(" | ");
  return typeof type === "string" ? type : "any";
}

function named(schema: Schema, root: Schema): string {
  if (schema === true) return "any";
  const { target } = resolve(schema, root, 0);
  return typeof target === "object" && target !== null ? typeName(target as JsonObject, root) : "any";
}

/** Follows a `$ref` inside the schema. A type that contains itself is shown to a depth, then by its name. */
function resolve(schema: Schema, root: Schema, depth: number): { target: Schema; circular: boolean } {
  let target = schema;
  for (let hops = 0; hops < 16; hops++) {
    if (typeof target !== "object" || target === null) return { target, circular: false };
    const reference = (target as JsonObject)["$ref"];
    if (typeof reference !== "string" || !reference.startsWith("#/")) return { target, circular: false };
    if (depth > 4) return { target: { type: reference.split("/").at(-1) }, circular: true };
    const { $ref: _, ...beside } = target as JsonObject;
    const found = follow(root, reference);
    target = typeof found === "object" && found !== null ? { ...found, ...beside } : found;
  }
  return { target, circular: true };
}

function follow(root: Schema, reference: string): Schema {
  let at: unknown = root;
  for (const part of reference.slice(2).split("/")) {
    at = (at as JsonObject | undefined)?.[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return at;
}

function show(value: unknown): string {
  return JSON.stringify(value);
}
