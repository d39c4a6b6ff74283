/**
 * The way for everything that valibot cannot say: @hyperjump/json-schema, with our keywords (library-keywords.ts) in
 * place of those that are not exact or not safe. Imported only when a type needs it.
 *
 * Nothing is registered with the library, so a compiled type is garbage like any other value. It is given a copy of
 * the schema with only the keywords that decide a verdict, and a cache that refuses what is not in it, so it can
 * neither fetch nor be confused by `$id` inside plain values.
 */
import {
  buildSchemaDocument,
  compile,
  getSchema,
  interpret,
  type CompiledSchema,
  type EvaluationPlugin,
  type ValidationContext,
} from "@hyperjump/json-schema/experimental";
import { setShouldValidateSchema } from "@hyperjump/json-schema/draft-2020-12";
import { fromJs, value as instanceValue, type JsonNode } from "@hyperjump/json-schema/instance/experimental";
import { resetBudget } from "./budget.ts";
import { CLOSING_KEYWORDS, NOTHING_ALLOWED, nullAlternative, type Failure } from "./explain.ts";
import { isRecord, type JsonSchema } from "./definition.ts";
import { ASSERTIONS, DIALECT, SUBSCHEMAS } from "./keywords.ts";
import { encodeFormat, encodeValue, installKeywords } from "./library-keywords.ts";
import { ROOT_URI, scanSchema, type Scan, type SchemaNode } from "./scan.ts";

export type LibraryCheck = { accepts(value: unknown): boolean; failures(value: unknown): Failure[] };

installKeywords();
// The metaschema is checked by metaschemaFailures(), with pointers; not again by the library for every type.
setShouldValidateSchema(false);

type Browser = Parameters<typeof compile>[0];

/** Throws where the library cannot resolve something; after scanSchema() that does not happen. */
export async function compileLibrary(scan: Scan): Promise<{ checkAt(node: SchemaNode): Promise<LibraryCheck> }> {
  const document = buildSchemaDocument(
    sanitize(scan, scan.root) as Parameters<typeof buildSchemaDocument>[0],
    ROOT_URI,
    DIALECT,
  );
  const embedded = document as unknown as { embedded: Record<string, unknown> };
  const known: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  known[ROOT_URI] = document;
  const cache = new Proxy(known, {
    get(target, uri) {
      if (typeof uri !== "string" || uri in target) return target[uri as string];
      if (!Object.hasOwn(embedded.embedded, uri)) throw new Error(`Refused to fetch ${uri}`);
      return undefined;
    },
  });
  const start = { _cache: cache, document } as unknown as Browser;
  return {
    async checkAt(node) {
      const compiled = await compile(await getSchema(`${node.base}#${encodeURI(node.inner)}`, start));
      return toCheck(compiled, scan);
    },
  };
}

function toCheck(compiled: CompiledSchema, scan: Scan): LibraryCheck {
  return {
    accepts(value) {
      resetBudget();
      return interpret(compiled, fromJs(value as never)).valid;
    },
    failures(value) {
      resetBudget();
      const collector = collectFailures(scan);
      interpret(compiled, fromJs(value as never), { outputFormat: "FLAG", plugins: [collector.plugin] } as never);
      return collector.failures();
    },
  };
}

let metaschema: Promise<CompiledSchema> | undefined;

/** What the 2020-12 metaschema has against a schema. Pointers are into that schema. */
export async function metaschemaFailures(schema: JsonSchema): Promise<Failure[]> {
  metaschema ??= getSchema(DIALECT, { _cache: {}, document: { baseUri: ROOT_URI } } as never).then(compile);
  const compiled = await metaschema;
  const instance = fromJs(schema as never);
  resetBudget();
  if (interpret(compiled, instance).valid) return [];
  const collector = collectFailures(scanSchema(true).scan);
  resetBudget();
  interpret(compiled, instance, { outputFormat: "FLAG", plugins: [collector.plugin] } as never);
  return collector.failures();
}

/** The schema with only the keywords that decide, and plain values as text, so that nothing in them is read as schema. */
function sanitize(scan: Scan, node: SchemaNode): unknown {
  const { schema } = node;
  if (!isRecord(schema)) return schema;
  const { assertFormats } = scan.bySchema.get(schema) ?? node;
  const inner = (value: unknown): unknown =>
    isRecord(value) ? sanitize(scan, scan.bySchema.get(value) ?? node) : value;
  const copy: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (Object.hasOwn(SUBSCHEMAS, keyword)) {
      if (SUBSCHEMAS[keyword] === "map" && isRecord(value)) {
        const map = {};
        for (const [name, item] of Object.entries(value)) setOwn(map, name, inner(item));
        copy[keyword] = map;
      } else {
        copy[keyword] = Array.isArray(value) ? value.map(inner) : inner(value);
      }
    } else if (keyword === "const" || keyword === "enum") {
      copy[keyword] = encodeValue(value);
    } else if (keyword === "format") {
      if (assertFormats) copy[keyword] = encodeFormat(value as string);
    } else if (ASSERTIONS.has(keyword)) {
      copy[keyword] = value;
    }
  }
  return copy;
}

function setOwn(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Keywords whose own failure is said, not those of the schemas inside them, which are only tries. */
const OPAQUE = new Set(["anyOf", "oneOf", "not", "contains", "propertyNames"]);

type Context = ValidationContext & { failures?: Failure[]; own?: Failure[] };

/** Collects failures as the fast way reports them: for one schema and value a wrong type hides the other faults. */
function collectFailures(scan: Scan): { plugin: EvaluationPlugin<Context>; failures(): Failure[] } {
  let last: Failure[] = [];
  const plugin: EvaluationPlugin<Context> = {
    beforeSchema(_url, _instance, context) {
      context.own = [];
    },
    afterKeyword([, url], instance, context, valid, schemaContext) {
      if (valid) return;
      const { keyword, node } = locate(scan, url);
      const inside = context.failures ?? [];
      const schema = isRecord(node?.schema) ? node.schema : {};
      if (inside.length > 0 && !OPAQUE.has(keyword)) {
        schemaContext.own?.push(...inside);
        return;
      }
      const nullIndex = keyword === "anyOf" ? nullAlternative(schema) : undefined;
      if (nullIndex !== undefined) {
        const ofNull = (schema["anyOf"] as unknown[])[nullIndex];
        schemaContext.own?.push(...inside.filter((failure) => failure.schema !== ofNull));
        return;
      }
      schemaContext.own?.push({ pointer: pointerOf(instance), keyword, schema, value: instanceValue(instance) });
    },
    afterSchema(url, instance, context, valid) {
      const own = context.own ?? [];
      if (!valid && own.length === 0) {
        const { node, parent } = locateFalse(scan, url);
        const keyword = node !== undefined && CLOSING_KEYWORDS.has(node.via) ? node.via : NOTHING_ALLOWED;
        own.push({ pointer: pointerOf(instance), keyword, schema: parent, value: instanceValue(instance) });
      }
      const pointer = pointerOf(instance);
      const mistyped = own.find((failure) => failure.keyword === "type" && failure.pointer === pointer);
      const kept = mistyped === undefined ? own : own.filter((f) => f === mistyped || f.schema !== mistyped.schema);
      context.failures = [...(context.failures ?? []), ...kept];
      last = context.failures;
    },
  };
  return { plugin, failures: () => last };
}

/** The keyword and schema that a keyword's URL (`base#/pointer/keyword`, encoded) leads to. */
function locate(scan: Scan, url: string): { keyword: string; node: SchemaNode | undefined } {
  const hash = url.indexOf("#");
  const pointer = decodeURI(url.slice(hash + 1));
  const cut = pointer.lastIndexOf("/");
  return { keyword: pointer.slice(cut + 1), node: scan.nodes.get(`${url.slice(0, hash)}#${pointer.slice(0, cut)}`) };
}

function locateFalse(scan: Scan, url: string): { node: SchemaNode | undefined; parent: Record<string, unknown> } {
  const hash = url.indexOf("#");
  const node = scan.nodes.get(url.slice(0, hash + 1) + decodeURI(url.slice(hash + 1)));
  const { node: parent } = locate(scan, url);
  return { node, parent: isRecord(parent?.schema) ? parent.schema : {} };
}

function pointerOf(instance: JsonNode): string {
  const { pointer } = instance as unknown as { pointer: string };
  return pointer;
}
