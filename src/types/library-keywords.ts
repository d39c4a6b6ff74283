/**
 * Keywords of the library replaced by ours: patterns run on re2js, equality and multiples are exact, names such as
 * "toString" are only names, and a format is asserted exactly where sanitize() says so.
 */
import {
  addKeyword,
  getKeyword,
  getKeywordName,
  getSchema,
  Validation,
  type Keyword,
} from "@hyperjump/json-schema/experimental";
import { value as instanceValue, type JsonNode } from "@hyperjump/json-schema/instance/experimental";
import { toPointer } from "../core/json.ts";
import { spendStep } from "./budget.ts";
import { FORMATS } from "./formats.ts";
import { compilePattern, type Pattern } from "../core/regex.ts";
import { areUnique, isAtLeastLong, isAtMostLong, isMultipleOf, keyOf } from "./values.ts";

const PREFIX = "https://json-schema.org/keyword/";

/** A plain value as text that the library cannot mistake for a schema. */
export function encodeValue(value: unknown): string {
  return `value:${JSON.stringify(value)}`;
}

function decodeValue(raw: unknown): unknown {
  return typeof raw === "string" && raw.startsWith("value:") ? JSON.parse(raw.slice("value:".length)) : raw;
}

/** A format that is to be asserted. Any other text is an annotation, as in the metaschema. */
export function encodeFormat(format: string): string {
  return `assert:${format}`;
}

/** The library's view of a schema while it compiles. */
type Browser = Parameters<Keyword<unknown>["compile"]>[0];
const RAW = "_value";
type Evaluated = { evaluatedProperties?: Set<string> };

/** The value at a browser's place, raw: an embedded resource still stands as a reference in it. */
function valueOf(schema: Browser): unknown {
  return (schema as unknown as { [RAW]: unknown })[RAW];
}

/** The pairs of a keyword's object, each schema compiled. */
async function compileMembers(
  schema: Browser,
  ast: Parameters<Keyword<unknown>["compile"]>[1],
): Promise<[string, string][]> {
  const members: [string, string][] = [];
  const browser = schema as unknown as { cursor: string };
  for (const [name, value] of Object.entries(valueOf(schema) as Record<string, unknown>)) {
    const cursor = browser.cursor + toPointer([name]);
    const step = { ...browser, cursor, [RAW]: value } as unknown as Browser;
    members.push([name, await Validation.compile(await follow(step), ast, schema)]);
  }
  return members;
}

/** An embedded resource stands as a reference in the document that holds it. */
function follow(schema: Browser): Browser | Promise<Browser> {
  const value = valueOf(schema) as { href?: unknown } | boolean;
  if (typeof value === "boolean" || typeof value.href !== "string" || Object.hasOwn(value, "href")) return schema;
  return getSchema(value.href, schema);
}

function members(instance: JsonNode): [string, JsonNode][] {
  if (instance.type !== "object") return [];
  const children = (instance as unknown as { children: { children: [JsonNode, JsonNode] }[] }).children;
  return children.map(({ children: [name, value] }) => [instanceValue(name), value]);
}

function leaf<A>(name: string, read: (raw: unknown) => A, test: (rule: A, value: unknown) => boolean): Keyword<A> {
  return {
    id: PREFIX + name,
    compile: (schema) => Promise.resolve(read(valueOf(schema))),
    interpret: (rule, instance) => test(rule, instanceValue(instance)),
  };
}

const isText = (value: unknown): value is string => typeof value === "string";

const properties: Keyword<Map<string, string>> = {
  id: `${PREFIX}properties`,
  compile: async (schema, ast) => new Map(await compileMembers(schema, ast)),
  interpret(schemas, instance, context) {
    let valid = true;
    for (const [name, value] of members(instance)) {
      const url = schemas.get(name);
      if (url === undefined) continue;
      if (!Validation.interpret(url, value, context)) valid = false;
      (context as Evaluated).evaluatedProperties?.add(name);
    }
    return valid;
  },
  simpleApplicator: true,
};

const patternProperties: Keyword<[Pattern, string][]> = {
  id: `${PREFIX}patternProperties`,
  compile: async (schema, ast) =>
    (await compileMembers(schema, ast)).map(([source, url]) => [compilePattern(source), url]),
  interpret(patterns, instance, context) {
    let valid = true;
    for (const [name, value] of members(instance)) {
      for (const [pattern, url] of patterns) {
        if (!pattern.test(name)) continue;
        if (!Validation.interpret(url, value, context)) valid = false;
        (context as Evaluated).evaluatedProperties?.add(name);
      }
    }
    return valid;
  },
  simpleApplicator: true,
};

const additionalProperties: Keyword<{ names: Set<string>; patterns: Pattern[]; url: string }> = {
  id: `${PREFIX}additionalProperties`,
  async compile(schema, ast, parent) {
    const siblings = valueOf(parent) as Record<string, object>;
    const { dialectId } = parent.document;
    const named = (keyword: string): string[] =>
      Object.keys(siblings[getKeywordName(dialectId, PREFIX + keyword)] ?? {});
    return {
      names: new Set(named("properties")),
      patterns: named("patternProperties").map(compilePattern),
      url: await Validation.compile(schema, ast, parent),
    };
  },
  interpret({ names, patterns, url }, instance, context) {
    let valid = true;
    for (const [name, value] of members(instance)) {
      if (names.has(name) || patterns.some((pattern) => pattern.test(name))) continue;
      if (!Validation.interpret(url, value, context)) valid = false;
      (context as Evaluated).evaluatedProperties?.add(name);
    }
    return valid;
  },
  simpleApplicator: true,
};

const equalToOne = (keys: Set<string>, value: unknown): boolean => keys.has(keyOf(value));

/** Recursion goes through references only, so counting them bounds a check. */
function counted(id: string): Keyword<unknown> {
  const original = getKeyword<unknown>(id);
  return {
    ...original,
    interpret(rule, instance, context) {
      spendStep();
      return original.interpret(rule, instance, context);
    },
  };
}

export function installKeywords(): void {
  addKeyword(counted(`${PREFIX}ref`));
  addKeyword(counted(`${PREFIX}draft-2020-12/dynamicRef`));
  addKeyword(properties);
  addKeyword(patternProperties);
  addKeyword(additionalProperties);
  addKeyword(leaf("const", (raw) => new Set([keyOf(decodeValue(raw))]), equalToOne));
  addKeyword(leaf("enum", (raw) => new Set((decodeValue(raw) as unknown[]).map(keyOf)), equalToOne));
  addKeyword(
    leaf(
      "pattern",
      (raw) => compilePattern(String(raw)),
      (pattern, it) => !isText(it) || pattern.test(it),
    ),
  );
  addKeyword(leaf("minLength", Number, (limit, value) => !isText(value) || isAtLeastLong(value, limit)));
  addKeyword(leaf("maxLength", Number, (limit, value) => !isText(value) || isAtMostLong(value, limit)));
  addKeyword(leaf("multipleOf", Number, (of, value) => typeof value !== "number" || isMultipleOf(value, of)));
  addKeyword(leaf("uniqueItems", Boolean, (on, value) => !on || !Array.isArray(value) || areUnique(value)));
  addKeyword(
    leaf("draft-2020-12/format", String, (name, value) => {
      if (!name.startsWith("assert:") || !isText(value)) return true;
      return FORMATS[name.slice("assert:".length)]?.(value) ?? true;
    }),
  );
}
