/**
 * One walk over a closed schema, before anything is compiled from it: finds every schema inside it with the identity
 * that references use, and everything that cannot be honoured. After it, each reference is known to lead inside the
 * schema or into the 2020-12 metaschema, so that nothing is ever fetched.
 */
import { parseIri, resolveIri, toAbsoluteIri } from "@hyperjump/uri";
import type { Issue } from "../core/errors.ts";
import { toPointer } from "../core/json.ts";
import { isRecord, type JsonSchema } from "./definition.ts";
import { FORMATS } from "./formats.ts";
import { ASSERT_FORMATS, DIALECT, subschemas } from "./keywords.ts";
import { compilePattern } from "../core/regex.ts";

/** The base of a schema without `$id`. Nothing resolves to it from outside. */
export const ROOT_URI = "switchyard:/type";

const METASCHEMA = /^https:\/\/json-schema\.org\/draft\/2020-12\/(?:schema|meta\/[a-z-]+)$/;
const VOCABULARY =
  /^https:\/\/json-schema\.org\/draft\/2020-12\/vocab\/(?:core|applicator|unevaluated|validation|meta-data|format-annotation|content)$/;

export type SchemaNode = {
  schema: JsonSchema;
  /** From the root of the closed schema. */
  pointer: string;
  /** The keyword that holds it; "" for the root. */
  via: string;
  /** The resource it belongs to, and its pointer from there. */
  base: string;
  inner: string;
  assertFormats: boolean;
};

export type Scan = {
  root: SchemaNode;
  /** By `base#inner`. */
  nodes: Map<string, SchemaNode>;
  bySchema: Map<object, SchemaNode>;
  /** What each `$ref` and `$dynamicRef` first leads to; undefined for the metaschema. By the referring schema. */
  targets: Map<object, SchemaNode | undefined>;
  /** `$id`, `$anchor` or dynamic references are used, so that pointers alone do not tell what a reference means. */
  hasIdentifiers: boolean;
};

type Walk = Scan & { anchors: Map<string, SchemaNode>; unsupported: Issue[]; invalid: Issue[] };

/** For a schema from cloneJson(), so of bounded depth and size. `unsupported` and `invalid` are what schema_unsupported and definition_invalid carry; empty when all is well. */
export function scanSchema(schema: JsonSchema): { scan: Scan; unsupported: Issue[]; invalid: Issue[] } {
  const root: SchemaNode = { schema, pointer: "", via: "", base: ROOT_URI, inner: "", assertFormats: false };
  const walk: Walk = {
    root,
    nodes: new Map(),
    bySchema: new Map(),
    targets: new Map(),
    hasIdentifiers: false,
    anchors: new Map(),
    unsupported: [],
    invalid: [],
  };
  visit(walk, root);
  for (const node of walk.bySchema.values()) resolveReferences(walk, node);
  refuseEndless(walk);
  return { scan: walk, unsupported: walk.unsupported, invalid: walk.invalid };
}

function visit(walk: Walk, node: SchemaNode): void {
  const { schema } = node;
  if (isRecord(schema)) {
    identify(walk, node, schema);
    checkKeywords(walk, node, schema);
    if (walk.bySchema.has(schema)) throw new Error("A schema object is used twice");
    walk.bySchema.set(schema, node);
  }
  const key = `${node.base}#${node.inner}`;
  if (walk.nodes.has(key)) add(walk.invalid, node.pointer, "$id", `must be unique; "${node.base}" is taken`);
  walk.nodes.set(key, node);
  if (!isRecord(schema)) return;
  for (const { keyword, tokens, schema: inner } of subschemas(schema)) {
    if (typeof inner !== "boolean" && !isRecord(inner)) continue; // The metaschema says what is wrong with it.
    const step = toPointer(tokens);
    const { base, assertFormats } = node;
    visit(walk, {
      schema: inner,
      pointer: node.pointer + step,
      via: keyword,
      base,
      inner: node.inner + step,
      assertFormats,
    });
  }
}

/** `$id`, `$anchor`, `$dynamicAnchor`, and our flag: what holds for the schema itself and all inside it. */
function identify(walk: Walk, node: SchemaNode, schema: Record<string, unknown>): void {
  const flag = schema[ASSERT_FORMATS];
  if (typeof flag === "boolean") node.assertFormats = flag;
  else if (flag !== undefined) add(walk.invalid, `${node.pointer}/${ASSERT_FORMATS}`, "type", "must be true or false");
  const id = schema["$id"];
  if (typeof id === "string") {
    walk.hasIdentifiers = true;
    const uri = tryResolve(id, node.base);
    if (uri === undefined) add(walk.invalid, `${node.pointer}/$id`, "$id", `must be a URI reference; it is "${id}"`);
    else if (METASCHEMA.test(uri))
      add(walk.invalid, `${node.pointer}/$id`, "$id", "must not be that of the metaschema");
    else [node.base, node.inner] = [uri, ""];
  }
  for (const keyword of ["$anchor", "$dynamicAnchor"]) {
    const anchor = schema[keyword];
    if (typeof anchor !== "string") continue;
    walk.hasIdentifiers = true;
    const key = `${node.base}#${anchor}`;
    if (walk.anchors.has(key))
      add(walk.invalid, `${node.pointer}/${keyword}`, keyword, `must be unique; "${anchor}" is taken`);
    walk.anchors.set(key, node);
  }
  if (typeof schema["$dynamicRef"] === "string") walk.hasIdentifiers = true;
}

function checkKeywords(walk: Walk, node: SchemaNode, schema: Record<string, unknown>): void {
  const unsupported = (keyword: string, detail: string, ...tokens: string[]): void => {
    add(walk.unsupported, node.pointer + toPointer([keyword, ...tokens]), keyword, detail);
  };
  const dialect = schema["$schema"];
  if (dialect !== undefined && dialect !== DIALECT && dialect !== `${DIALECT}#`) {
    unsupported("$schema", `must be left out or "${DIALECT}"; it is ${JSON.stringify(dialect)}`);
  }
  const vocabularies = schema["$vocabulary"];
  if (isRecord(vocabularies)) {
    for (const [uri, isRequired] of Object.entries(vocabularies)) {
      if (isRequired === true && !VOCABULARY.test(uri))
        unsupported("$vocabulary", "is a vocabulary that is not known here", uri);
    }
  }
  const checkPattern = (source: string, ...tokens: [string, ...string[]]): void => {
    try {
      compilePattern(source);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      unsupported(tokens[0], `must be a pattern that runs in linear time: ${reason}`, ...tokens.slice(1));
    }
  };
  if (typeof schema["pattern"] === "string") checkPattern(schema["pattern"], "pattern");
  const patternProperties = schema["patternProperties"];
  if (isRecord(patternProperties)) {
    for (const source of Object.keys(patternProperties)) checkPattern(source, "patternProperties", source);
  }
  const format = schema["format"];
  if (node.assertFormats && typeof format === "string" && !Object.hasOwn(FORMATS, format)) {
    unsupported(
      "format",
      `must be one of ${Object.keys(FORMATS).join(", ")} where formats are checked; it is "${format}"`,
    );
  }
}

function resolveReferences(walk: Walk, node: SchemaNode): void {
  const { schema } = node;
  if (!isRecord(schema)) return;
  for (const keyword of ["$ref", "$dynamicRef"]) {
    const reference = schema[keyword];
    if (typeof reference !== "string") continue;
    const refuse = (detail: string): void => add(walk.unsupported, `${node.pointer}/${keyword}`, keyword, detail);
    const uri = tryResolveFull(reference, node.base);
    if (uri === undefined) {
      refuse(`must be a URI reference; it is "${reference}"`);
      continue;
    }
    const [resource = "", fragment = ""] = uri.split("#", 2);
    const target = findTarget(walk, resource, fragment);
    if (target !== undefined) {
      if (keyword === "$ref") walk.targets.set(schema, target);
    } else if (METASCHEMA.test(resource)) {
      if (fragment === "") walk.targets.set(schema, undefined);
      else refuse(`must lead to the whole of the metaschema; it is "${reference}"`);
    } else if (walk.nodes.has(`${resource}#`)) {
      refuse(`must lead to a schema that is there; "${reference}" does not`);
    } else if (/^https?:|^file:/i.test(uri)) {
      refuse(`must stay inside the registry; "${reference}" is somewhere else and is never fetched`);
    } else {
      refuse(`must lead to a schema in this one, or be "type:NAME" for a stored type; it is "${reference}"`);
    }
  }
}

/** Keywords whose schemas look at the very value that the schema around them looks at. */
const IN_PLACE = new Set(["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"]);

/** A schema that leads back to itself without going into the value would be checked without end. */
function refuseEndless(walk: Walk): void {
  const state = new Map<SchemaNode, "open" | "done">();
  const follow = (node: SchemaNode): void => {
    const { schema } = node;
    if (!isRecord(schema) || state.get(node) === "done") return;
    if (state.get(node) === "open") {
      add(walk.unsupported, node.pointer, "$ref", "must not lead back to itself without going into the value");
      return;
    }
    state.set(node, "open");
    const target = walk.targets.get(schema);
    if (target !== undefined) follow(target);
    const anchor = typeof schema["$dynamicRef"] === "string" ? schema["$dynamicRef"].split("#")[1] : undefined;
    for (const candidate of anchor === undefined ? [] : walk.bySchema.values()) {
      if (isRecord(candidate.schema) && candidate.schema["$dynamicAnchor"] === anchor) follow(candidate);
    }
    for (const { keyword, schema: inner } of subschemas(schema)) {
      const next = IN_PLACE.has(keyword) && isRecord(inner) ? walk.bySchema.get(inner) : undefined;
      if (next !== undefined) follow(next);
    }
    state.set(node, "done");
  };
  for (const node of walk.bySchema.values()) follow(node);
}

function findTarget(walk: Walk, resource: string, fragment: string): SchemaNode | undefined {
  let name: string;
  try {
    name = decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
  if (name === "" || name.startsWith("/")) return walk.nodes.get(`${resource}#${name}`);
  return walk.anchors.get(`${resource}#${name}`);
}

function tryResolveFull(reference: string, base: string): string | undefined {
  if (reference.startsWith("#")) return base + reference;
  try {
    const uri = resolveIri(reference, base);
    parseIri(uri);
    return uri;
  } catch {
    return undefined;
  }
}

function tryResolve(reference: string, base: string): string | undefined {
  const uri = tryResolveFull(reference, base);
  return uri === undefined ? undefined : toAbsoluteIri(uri);
}

function add(issues: Issue[], pointer: string, keyword: string, detail: string): void {
  issues.push({ pointer, keyword, detail });
}
