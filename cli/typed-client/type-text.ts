/**
 * A JSON Schema → a TypeScript type that takes every value that fits it. What TypeScript has no words for makes the type
 * wider, never narrower, and a comment beside it says so.
 */
import type { Schema } from "./document.ts";

export type TypeScope = {
  resolve(reference: string): Schema | undefined;
  /** The name that stands for what is there; it is declared elsewhere in the file. */
  nameOf(reference: string): string;
};

type Json = Record<string, unknown>;

/** Say more than TypeScript can, in a way that changes what a value looks like. Plain limits (`minimum`) are not told. */
const UNSAID = [
  "$dynamicRef",
  "contains",
  "dependentRequired",
  "dependentSchemas",
  "else",
  "if",
  "not",
  "patternProperties",
  "propertyNames",
  "then",
  "unevaluatedItems",
  "unevaluatedProperties",
];
const ANY_OBJECT = "{ [key: string]: unknown }";

/** `within`: the references whose declaration this is, without an object or a list in between. */
export function typeText(schema: unknown, scope: TypeScope, within: readonly string[] = []): string {
  if (schema === false) return "never";
  if (!isJson(schema)) return "unknown";
  const parts = partsOf(schema, scope, within).filter((part) => part !== "unknown");
  const told = parts.length > 1 ? parts.filter((part) => part !== ANY_OBJECT) : parts;
  const unsaid = UNSAID.filter((keyword) => Object.hasOwn(schema, keyword));
  const note = unsaid.length === 0 ? "" : ` /* and more, in words of JSON Schema: ${unsaid.join(", ")} */`;
  if (told.length === 0) return `${parts[0] ?? "unknown"}${note}`;
  return (told.length === 1 ? told.join("") : told.map((part) => `(${part})`).join(" & ")) + note;
}

/** What must hold all at once. */
function partsOf(schema: Json, scope: TypeScope, within: readonly string[]): string[] {
  const { $ref, allOf, anyOf, oneOf } = schema;
  const parts: string[] = [];
  if (typeof $ref === "string") parts.push(reference($ref, scope, within));
  if (Object.hasOwn(schema, "const")) parts.push(literal(schema["const"]));
  else if (Array.isArray(schema["enum"])) parts.push(union(schema["enum"].map(literal)));
  else parts.push(...ownType(schema, scope));
  for (const each of Array.isArray(allOf) ? allOf : []) parts.push(typeText(each, scope, within));
  for (const choices of [anyOf, oneOf]) {
    if (Array.isArray(choices)) parts.push(union(choices.map((each) => typeText(each, scope, within))));
  }
  return parts;
}

function reference($ref: string, scope: TypeScope, within: readonly string[]): string {
  if (scope.resolve($ref) === undefined) return `unknown /* ${comment($ref)} */`;
  // A name that is declared as itself is no type.
  if (within.some((outer) => outer === $ref || leadsTo($ref, outer, scope, new Set()))) {
    return "unknown /* refers to itself */";
  }
  return scope.nameOf($ref);
}

/** Whether declaring one name needs the other, with no object or list in between. */
function leadsTo(from: string, to: string, scope: TypeScope, seen: Set<string>): boolean {
  if (seen.has(from)) return false;
  seen.add(from);
  return directReferences(scope.resolve(from)).some((next) => next === to || leadsTo(next, to, scope, seen));
}

function directReferences(schema: unknown): string[] {
  if (!isJson(schema)) return [];
  const inner = ["allOf", "anyOf", "oneOf"].flatMap((keyword) => {
    const list = schema[keyword];
    return Array.isArray(list) ? list.flatMap(directReferences) : [];
  });
  return typeof schema["$ref"] === "string" ? [schema["$ref"], ...inner] : inner;
}

function ownType(schema: Json, scope: TypeScope): string[] {
  const { type } = schema;
  const types = Array.isArray(type) ? type.map(String) : typeof type === "string" ? [type] : implied(schema);
  if (types.length === 0) return [];
  return [union(types.map((each) => typeOfName(each, schema, scope)))];
}

/** A type that speaks of members or items and names no type means what has them. */
function implied(schema: Json): string[] {
  if (["properties", "additionalProperties"].some((keyword) => Object.hasOwn(schema, keyword))) return ["object"];
  if (["items", "prefixItems"].some((keyword) => Object.hasOwn(schema, keyword))) return ["array"];
  return [];
}

function typeOfName(type: string, schema: Json, scope: TypeScope): string {
  switch (type) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return type;
    case "array":
      return listType(schema, scope);
    case "object":
      return objectType(schema, scope);
    default:
      return "unknown";
  }
}

function listType({ prefixItems, items, minItems, maxItems }: Json, scope: TypeScope): string {
  const item = items === undefined ? "unknown" : typeText(items, scope);
  if (!Array.isArray(prefixItems)) return items === false ? "[]" : `Array<${item}>`;
  const least = typeof minItems === "number" ? minItems : 0;
  const places = prefixItems.map((each, place) =>
    place < least ? typeText(each, scope) : `(${typeText(each, scope)})?`,
  );
  const isClosed = items === false || (typeof maxItems === "number" && maxItems <= prefixItems.length);
  return `[${[...places, ...(isClosed ? [] : [`...Array<${item}>`])].join(", ")}]`;
}

function objectType(schema: Json, scope: TypeScope): string {
  const properties = isJson(schema["properties"]) ? schema["properties"] : {};
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"].map(String) : []);
  const { additionalProperties: rest, patternProperties: patterns } = schema;
  const members = Object.entries(properties).map(
    ([name, inner]) => `${documented(inner)}${key(name)}${required.has(name) ? "" : "?"}: ${typeText(inner, scope)};`,
  );
  for (const name of required) {
    if (!Object.hasOwn(properties, name)) members.push(`${key(name)}: ${typeText(rest ?? true, scope)};`);
  }
  const others = [
    ...(rest === undefined || rest === false ? [] : [typeText(rest, scope)]),
    ...Object.values(isJson(patterns) ? patterns : {}).map((inner) => typeText(inner, scope)),
  ];
  if (members.length === 0 && others.length === 0) return rest === false ? "{ [key: string]: never }" : ANY_OBJECT;
  if (others.length > 0) {
    // TypeScript wants one type for every member, so where there are named ones the others are anything.
    members.push(`[key: string]: ${members.length === 0 ? union(others) : "unknown"};`);
  }
  return `{\n${members.map((member) => member.replaceAll(/^/gm, "  ")).join("\n")}\n}`;
}

/** The description as a comment of its own, with the default. */
export function documented(schema: unknown): string {
  if (!isJson(schema)) return "";
  const { description, default: usual } = schema;
  const text = [
    ...(typeof description === "string" && description.trim() !== "" ? [description.trim()] : []),
    ...(usual === undefined ? [] : [`Default: ${JSON.stringify(usual)}`]),
  ].join("\n");
  return docComment(text);
}

export function docComment(text: string): string {
  if (text === "") return "";
  const lines = comment(text).split(/\r\n|[\n\r\u2028\u2029]/);
  return lines.length === 1
    ? `/** ${lines[0] ?? ""} */\n`
    : `/**\n${lines.map((line) => ` * ${line}`).join("\n")}\n */\n`;
}

/** Nothing in it ends the comment. */
function comment(text: string): string {
  return text.replaceAll("*/", "*\\/");
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (!isJson(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, inner]) => `${key(name)}: ${literal(inner)}`);
  return members.length === 0 ? "{ [key: string]: never }" : `{ ${members.join("; ")} }`;
}

function union(types: readonly string[]): string {
  const unique = [...new Set(types)].filter((type) => type !== "never");
  if (unique.includes("unknown")) return "unknown";
  if (unique.length < 2) return unique[0] ?? "never";
  return unique.map((type) => (/[&\n]/.test(type) ? `(${type})` : type)).join(" | ");
}

function key(name: string): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) ? name : JSON.stringify(name);
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
