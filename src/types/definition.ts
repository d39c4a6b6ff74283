/**
 * What a type may be written as, and the one step that makes a JSON Schema of each form: a JSON Schema (2020-12), the
 * shorthand `{attributes}`, or a manifest that holds either.
 */
import { SwitchyardError, type Issue } from "../core/errors.ts";
import { expandAttributes } from "./shorthand.ts";

export type JsonSchema = boolean | Record<string, unknown>;

/**
 * boolean, a JSON Schema, `{attributes}`, or `{name?, description?, schema | attributes, assert_formats?}`. An object
 * is read as the latter two only if it has no other member, so that no JSON Schema is mistaken for them.
 */
export type TypeDefinition = JsonSchema;

/** The stored type of that name, in any form; undefined if there is none. */
export type ResolveNamed = (name: string) => TypeDefinition | undefined;

export type ReadDefinition = {
  schema: JsonSchema;
  assertFormats: boolean;
  /** Which form it was, so that a pointer into `schema` can be said as one into the definition. */
  form: "schema" | "manifest" | "attributes";
};

const MANIFEST_MEMBERS = new Set(["name", "description", "schema", "attributes", "assert_formats"]);

/** Throws definition_invalid. */
export function readDefinition(definition: unknown): ReadDefinition {
  if (typeof definition === "boolean") return { schema: definition, assertFormats: false, form: "schema" };
  if (!isRecord(definition)) {
    refuse([{ pointer: "", keyword: "type", detail: "must be a boolean or an object" }]);
  }
  const { schema, attributes, assert_formats: assertFormats, description } = definition;
  const marked = ["schema", "attributes", "assert_formats", "name"].some((key) => Object.hasOwn(definition, key));
  if (!marked || Object.keys(definition).some((key) => !MANIFEST_MEMBERS.has(key))) {
    return { schema: definition, assertFormats: false, form: "schema" };
  }
  if ((schema === undefined) === (attributes === undefined)) {
    const it = schema === undefined ? "it has neither" : "it has both";
    refuse([{ pointer: "", keyword: "schema", detail: `must have either "schema" or "attributes"; ${it}` }]);
  }
  if (assertFormats !== undefined && typeof assertFormats !== "boolean") {
    refuse([{ pointer: "/assert_formats", keyword: "type", detail: "must be true or false" }]);
  }
  if (attributes !== undefined) {
    if (assertFormats === false) {
      const detail = "must be left out or true: types from attributes always check formats";
      refuse([{ pointer: "/assert_formats", keyword: "const", detail }]);
    }
    const issues: Issue[] = [];
    const expanded = expandAttributes(attributes, issues);
    if (issues.length > 0) refuse(issues);
    const said = typeof description === "string" && description !== "" ? { description } : {};
    return { schema: { ...said, ...expanded }, assertFormats: true, form: "attributes" };
  }
  if (typeof schema !== "boolean" && !isRecord(schema)) {
    refuse([{ pointer: "/schema", keyword: "type", detail: "must be a boolean or an object" }]);
  }
  return { schema, assertFormats: assertFormats ?? false, form: "manifest" };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(issues: readonly Issue[]): never {
  throw refusal("definition_invalid", issues);
}

/** The error for a definition that is not stored. Its detail is the first issue. */
export function refusal(code: "definition_invalid" | "schema_unsupported", issues: readonly Issue[]): SwitchyardError {
  const [first] = issues;
  const where = first === undefined ? "" : ` at "${first.pointer}"`;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return new SwitchyardError(code, `Cannot take the type${where}: ${first?.detail ?? "it breaks a rule"}${more}`, {
    errors: issues,
  });
}
