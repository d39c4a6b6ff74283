/**
 * A type and all stored types that it names → one JSON Schema that needs nothing else. Stored in each revision, so a
 * later edit of a named type cannot change what the revision means.
 *
 * A stored type is named `"type:NAME"` in a `$ref`. In the closed form it stands under `$defs`, reached by pointer. If
 * any schema involved gives identifiers of its own (`$id`, anchors, dynamic references), pointers would change their
 * meaning; then each named type becomes a resource `$id: "type:NAME"` and no reference is rewritten.
 */
import type { Issue } from "../core/errors.ts";
import {
  readDefinition,
  refusal,
  isRecord,
  type JsonSchema,
  type ResolveNamed,
  type TypeDefinition,
} from "./definition.ts";
import { ASSERT_FORMATS, subschemas } from "./keywords.ts";
import { toAttributePointer } from "./shorthand.ts";

/** A JSON Schema in which every reference leads inside. `x-assert-formats` in it says where formats are checked. */
export type ClosedType = JsonSchema;

const MAX_NAMED = 500;
const NAMED = "type:";
const MAX_SCHEMA_DEPTH = 64;
const MAX_SCHEMA_NODES = 50_000;

type Part = { schema: Record<string, unknown>; assertFormats: boolean };

/** Throws definition_invalid, and schema_unsupported for a name that is not stored. `names` is in order of appearance. */
export function closeType(
  definition: TypeDefinition,
  resolveNamed: ResolveNamed,
): { schema: ClosedType; names: string[] } {
  const { schema, assertFormats, form } = readDefinition(definition);
  if (!isRecord(schema)) return { schema, names: [] };
  const root: Part = { schema: cloneJson(schema), assertFormats };
  const named = new Map<string, Part>();
  const prefix = form === "manifest" ? "/schema" : "";
  collect(root, named, resolveNamed, (pointer) =>
    form === "attributes" ? toAttributePointer(pointer) : prefix + pointer,
  );
  const parts = [root, ...named.values()];
  const flags = parts.map(
    (part) => part.assertFormats && someSchema(part.schema, (inner) => inner["format"] !== undefined),
  );
  const [rootFlag = false] = flags;
  for (const [index, part] of parts.entries()) {
    const inherited = index === 0 ? false : rootFlag;
    const flag = flags[index] ?? false;
    if (flag !== inherited && part.schema[ASSERT_FORMATS] === undefined) {
      part.schema = { [ASSERT_FORMATS]: flag, ...part.schema };
    }
  }
  if (named.size === 0) return { schema: root.schema, names: [] };
  const byIdentifier = parts.some((part) => hasIdentifiers(part.schema));
  return { schema: byIdentifier ? bundle(root, named) : inline(root, named), names: [...named.keys()] };
}

function collect(
  part: Part,
  named: Map<string, Part>,
  resolveNamed: ResolveNamed,
  say: (pointer: string) => string,
): void {
  for (const { name, pointer } of namedReferences(part.schema, "")) {
    if (named.has(name)) continue;
    const refuse = (detail: string): never => {
      const issue: Issue = { pointer: say(pointer), keyword: "$ref", detail };
      throw refusal("schema_unsupported", [issue]);
    };
    const definition = resolveNamed(name);
    if (definition === undefined) refuse(`must be a stored type; there is none named "${name}"`);
    if (named.size >= MAX_NAMED) refuse(`may lead to at most ${MAX_NAMED} stored types; there are more`);
    const read = readDefinition(definition);
    const schema = isRecord(read.schema) ? cloneJson(read.schema) : read.schema ? {} : { not: {} };
    const inner: Part = { schema, assertFormats: read.assertFormats };
    named.set(name, inner);
    collect(inner, named, resolveNamed, () => say(pointer));
  }
}

function namedReferences(schema: unknown, pointer: string): { name: string; pointer: string }[] {
  if (!isRecord(schema)) return [];
  const found: { name: string; pointer: string }[] = [];
  const reference = schema["$ref"];
  if (typeof reference === "string" && reference.startsWith(NAMED)) {
    const name = reference.slice(NAMED.length).split("#", 1)[0] ?? "";
    // In a schema that was closed before, the type is in it already.
    found.push({ name, pointer: `${pointer}/$ref` });
  }
  for (const { tokens, schema: inner } of subschemas(schema)) {
    const step = tokens.map((token) => token.replaceAll("~", "~0").replaceAll("/", "~1")).join("/");
    found.push(...namedReferences(inner, `${pointer}/${step}`));
  }
  const own = new Set<string>();
  const defs = schema["$defs"];
  if (isRecord(defs)) {
    for (const inner of Object.values(defs)) {
      const id = isRecord(inner) ? inner["$id"] : undefined;
      if (typeof id === "string" && id.startsWith(NAMED)) own.add(id.slice(NAMED.length));
    }
  }
  return own.size === 0 ? found : found.filter(({ name }) => !own.has(name));
}

function inline(root: Part, named: Map<string, Part>): JsonSchema {
  const taken = isRecord(root.schema["$defs"]) ? root.schema["$defs"] : {};
  const keys = new Map<string, string>();
  for (const name of named.keys()) {
    let key = name;
    while (Object.hasOwn(taken, key)) key += "_";
    keys.set(name, key);
  }
  const rewrite = (schema: Record<string, unknown>, base: string): void => {
    const reference = schema["$ref"];
    if (typeof reference === "string") {
      const [, name, fragment = ""] = /^type:([^#]*)(?:#(.*))?$/s.exec(reference) ?? [];
      if (name !== undefined) schema["$ref"] = `#/$defs/${keys.get(name) ?? name}${fragment}`;
      else if (reference.startsWith("#")) schema["$ref"] = `#${base}${reference.slice(1)}`;
    }
    for (const { schema: inner } of subschemas(schema)) if (isRecord(inner)) rewrite(inner, base);
  };
  rewrite(root.schema, "");
  const defs: Record<string, unknown> = { ...taken };
  for (const [name, part] of named) {
    const key = keys.get(name) ?? name;
    rewrite(part.schema, `/$defs/${key}`);
    defs[key] = part.schema;
  }
  return { ...root.schema, $defs: defs };
}

function bundle(root: Part, named: Map<string, Part>): JsonSchema {
  const defs: Record<string, unknown> = isRecord(root.schema["$defs"]) ? { ...root.schema["$defs"] } : {};
  for (const [name, { schema }] of named) {
    const $id = NAMED + name;
    defs[$id] = schema["$id"] === undefined ? { $id, ...schema } : { $id, allOf: [schema] };
  }
  return { ...root.schema, $defs: defs };
}

function hasIdentifier(schema: Record<string, unknown>): boolean {
  return ["$id", "$anchor", "$dynamicAnchor", "$dynamicRef"].some((keyword) => schema[keyword] !== undefined);
}

/** Whether references in it are more than pointers into it. */
export function hasIdentifiers(schema: JsonSchema): boolean {
  return someSchema(schema, hasIdentifier);
}

function someSchema(schema: unknown, test: (schema: Record<string, unknown>) => boolean): boolean {
  if (!isRecord(schema)) return false;
  if (test(schema)) return true;
  for (const { schema: inner } of subschemas(schema)) if (someSchema(inner, test)) return true;
  return false;
}

/** A copy of its own, each object in it used once. Throws schema_unsupported for what is too large to be worth copying. */
export function cloneJson<T>(value: T): T {
  if (isTooMuch(value)) {
    const detail = `may nest at most ${MAX_SCHEMA_DEPTH} levels and have at most ${MAX_SCHEMA_NODES} values; it has more`;
    throw refusal("schema_unsupported", [{ pointer: "", keyword: "maxDepth", detail }]);
  }
  return JSON.parse(JSON.stringify(value)) as T;
}

function isTooMuch(value: unknown): boolean {
  let budget: number = MAX_SCHEMA_NODES;
  const walk = (inner: unknown, depth: number): boolean => {
    if (depth > MAX_SCHEMA_DEPTH || --budget < 0) return true;
    return typeof inner === "object" && inner !== null && Object.values(inner).some((item) => walk(item, depth + 1));
  };
  return walk(value, 0);
}
