/**
 * The fast way: a valibot schema for the JSON Schemas that valibot can say exactly. It refuses the rest by answering
 * undefined, and then the library checks. It accepts a schema only if every keyword has the shape that the metaschema
 * demands, so that a schema taken here needs no other proof. Containers are ours (fast-nodes.ts): valibot's own skip
 * keys named "constructor", take arrays for objects, and copy.
 */
import * as v from "valibot";
import { resetBudget } from "./budget.ts";
import { isRecord, type JsonSchema } from "./definition.ts";
import { CLOSING_KEYWORDS, NOTHING_ALLOWED, nullAlternative, type Failure } from "./explain.ts";
import { anyOfNode, arrayNode, objectNode, type Check } from "./fast-nodes.ts";
import { FORMATS } from "./formats.ts";
import { ANNOTATIONS, isPrimitive, isSchema, isString, KEYWORDS, typesOf } from "./fast-shapes.ts";
import { ASSERTIONS, SUBSCHEMAS } from "./keywords.ts";
import { compilePattern } from "../core/regex.ts";
import type { Scan, SchemaNode } from "./scan.ts";
import { isAtLeastLong, isAtMostLong, isMultipleOf, isOfType } from "./values.ts";
import { toPointer } from "../core/json.ts";

/** The one check that can be left out; a pipe that starts with v.unknown() looks like it but is not. */
const ANYTHING: Check = v.unknown();

type Checks = { keyword: string; schema: Record<string, unknown> }[];
type Context = { scan: Scan; checks: Checks; built: Map<object, Check | "building"> };

export type FastCheck = {
  /** Nothing is refused. */
  any: boolean;
  accepts(value: unknown): boolean;
  failures(value: unknown): Failure[];
};

/** Compiles one node, by default the root; undefined where valibot cannot say it exactly. */
export function compileFast(scan: Scan, node: SchemaNode = scan.root): FastCheck | undefined {
  const context: Context = { scan, checks: [], built: new Map() };
  const check = build(context, node.schema, node.via);
  if (check === undefined) return undefined;
  return {
    any: check === ANYTHING,
    accepts(value) {
      resetBudget();
      return check["~run"]({ value }, { abortEarly: true }).issues === undefined;
    },
    failures(value) {
      resetBudget();
      const { issues = [] } = check["~run"]({ value }, {});
      return issues.map((issue) => {
        const path = issue.path ?? [];
        const found = context.checks[Number(issue.message)];
        if (found === undefined) throw new Error(`A check without a number: ${issue.message}`);
        const { keyword, schema } = found;
        return { keyword, schema, pointer: toPointer(path.map((item) => String(item.key))), value: issue.input };
      });
    },
  };
}

/** The number under which a failing check is found again; valibot carries it as the message. */
function numberOf(context: Context, keyword: string, schema: Record<string, unknown>): string {
  return String(context.checks.push({ keyword, schema }) - 1);
}

function build(
  context: Context,
  schema: JsonSchema,
  via: string,
  parent: Record<string, unknown> = {},
): Check | undefined {
  if (schema === true) return ANYTHING;
  if (schema === false) {
    return v.never(numberOf(context, CLOSING_KEYWORDS.has(via) ? via : NOTHING_ALLOWED, parent));
  }
  const known = context.built.get(schema);
  if (known === "building") return v.lazy(() => finished(context, schema));
  if (known !== undefined) return known;
  context.built.set(schema, "building");
  const check = buildObject(context, schema);
  if (check === undefined) context.built.delete(schema);
  else context.built.set(schema, check);
  return check;
}

function finished(context: Context, schema: object): Check {
  const check = context.built.get(schema);
  if (check === undefined || check === "building") throw new Error("A recursive type was used before it was built");
  return check;
}

function buildObject(context: Context, schema: Record<string, unknown>): Check | undefined {
  const keywords: string[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (Object.hasOwn(ANNOTATIONS, keyword)) {
      if (ANNOTATIONS[keyword]?.(value) !== true) return undefined;
    } else if (keyword === "$defs") {
      if (!isRecord(value)) return undefined;
      for (const inner of Object.values(value)) {
        if (!isSchema(inner) || build(context, inner as JsonSchema, "$defs") === undefined) return undefined;
      }
    } else if (ASSERTIONS.has(keyword) || Object.hasOwn(SUBSCHEMAS, keyword)) {
      keywords.push(keyword);
    } else if (keyword.startsWith("$") || keyword === "dependencies" || keyword === "contentSchema") {
      return undefined;
    }
  }
  const format = schema["format"];
  if (format !== undefined && context.scan.bySchema.get(schema)?.assertFormats !== true) {
    if (!isString(format)) return undefined;
    keywords.splice(keywords.indexOf("format"), 1);
  }
  const [only] = keywords;
  if (keywords.length === 0) return ANYTHING;
  if (keywords.length === 1 && only === "$ref") return buildReference(context, schema);
  if (keywords.length === 1 && only === "anyOf") return buildAnyOf(context, schema);
  if (keywords.every((keyword) => keyword === "enum" || keyword === "const" || keyword === "type")) {
    return buildValues(context, schema, keywords);
  }
  return buildTyped(context, schema, keywords);
}

/** scanSchema() has refused references that lead in a circle without going into the value. */
function buildReference(context: Context, schema: Record<string, unknown>): Check | undefined {
  const target = context.scan.targets.get(schema);
  if (target === undefined || context.scan.hasIdentifiers) return undefined;
  return build(context, target.schema, target.via);
}

function buildAnyOf(context: Context, schema: Record<string, unknown>): Check | undefined {
  const options = schema["anyOf"];
  if (!Array.isArray(options) || options.length === 0 || !options.every(isSchema)) return undefined;
  const checks: Check[] = [];
  for (const option of options as JsonSchema[]) {
    const check = build(context, option, "anyOf");
    if (check === undefined) return undefined;
    checks.push(check);
  }
  const nullIndex = nullAlternative(schema);
  const telling = nullIndex === undefined ? undefined : checks[1 - nullIndex];
  return anyOfNode(checks, numberOf(context, "anyOf", schema), telling);
}

/** `enum` and `const` of primitives, and `type` alone. */
function buildValues(context: Context, schema: Record<string, unknown>, keywords: string[]): Check | undefined {
  const types = typesOf(schema);
  if (types === undefined) return undefined;
  const checks: v.GenericPipeItem<unknown, unknown>[] = [];
  if (types.length > 0) {
    const isTyped = (value: unknown): boolean => types.some((type) => isOfType(value, type));
    checks.push(v.custom<unknown>(isTyped, numberOf(context, "type", schema)));
  }
  for (const keyword of keywords) {
    if (keyword === "type") continue;
    const rule = keyword === "enum" ? schema["enum"] : [schema["const"]];
    if (!Array.isArray(rule) || !rule.every(isPrimitive)) return undefined;
    const values = new Set<unknown>(rule);
    const number = numberOf(context, keyword, schema);
    checks.push(v.check((value: unknown) => values.has(value), number));
  }
  return v.pipe(v.unknown(), ...checks);
}

function buildTyped(context: Context, schema: Record<string, unknown>, keywords: string[]): Check | undefined {
  const types = typesOf(schema);
  const named = types?.filter((type) => type !== "null") ?? [];
  const [type] = named;
  if (type === undefined || named.length !== 1 || types === undefined) return undefined;
  const shapes = KEYWORDS[type === "integer" ? "number" : type] ?? {};
  for (const keyword of keywords) {
    if (keyword === "type") continue;
    if (!Object.hasOwn(shapes, keyword) || shapes[keyword]?.(schema[keyword]) !== true) return undefined;
  }
  const check = buildOfType(context, schema, type);
  return check !== undefined && types.includes("null") ? v.nullable(check) : check;
}

function buildOfType(context: Context, schema: Record<string, unknown>, type: string): Check | undefined {
  const number = numberOf(context, "type", schema);
  const has = (keyword: string): boolean => schema[keyword] !== undefined;
  if (type === "object") {
    const entries = new Map<string, Check>();
    for (const [name, inner] of Object.entries((schema["properties"] ?? {}) as Record<string, JsonSchema>)) {
      const check = build(context, inner, "properties", schema);
      if (check === undefined) return undefined;
      entries.set(name, check);
    }
    const additional = (schema["additionalProperties"] ?? true) as JsonSchema;
    const rest = build(context, additional, "additionalProperties", schema);
    if (rest === undefined) return undefined;
    return objectNode({
      type: number,
      entries,
      rest: rest === ANYTHING ? undefined : rest,
      required: (schema["required"] ?? []) as string[],
      requiredNumber: numberOf(context, "required", schema),
      min: bound(context, schema, "minProperties"),
      max: bound(context, schema, "maxProperties"),
    });
  }
  if (type === "array") {
    const items = build(context, (schema["items"] ?? true) as JsonSchema, "items", schema);
    if (items === undefined) return undefined;
    return arrayNode({
      type: number,
      items: items === ANYTHING ? undefined : items,
      unique: schema["uniqueItems"] === true ? numberOf(context, "uniqueItems", schema) : undefined,
      min: bound(context, schema, "minItems"),
      max: bound(context, schema, "maxItems"),
    });
  }
  const checks: v.GenericPipeItem<unknown, unknown>[] = [];
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the type check before it proved
  const add = <T>(keyword: string, check: (value: T, rule: never) => boolean): void => {
    if (!has(keyword)) return;
    const rule = schema[keyword] as never;
    checks.push(v.check((value: unknown) => check(value as T, rule), numberOf(context, keyword, schema)));
  };
  if (type === "string") {
    add<string>("minLength", isAtLeastLong);
    add<string>("maxLength", isAtMostLong);
    if (has("pattern")) {
      const pattern = compilePattern(schema["pattern"] as string);
      add<string>("pattern", (text) => pattern.test(text));
    }
    if (context.scan.bySchema.get(schema)?.assertFormats === true) {
      const format = FORMATS[schema["format"] as string];
      if (format !== undefined) add<string>("format", (text) => format(text));
    }
    return v.pipe(v.string(number), ...(checks as never[]));
  }
  if (type === "boolean") return v.boolean(number);
  if (type !== "number" && type !== "integer") return undefined;
  if (has("minimum"))
    checks.push(v.minValue(schema["minimum"] as number, numberOf(context, "minimum", schema)) as never);
  if (has("maximum"))
    checks.push(v.maxValue(schema["maximum"] as number, numberOf(context, "maximum", schema)) as never);
  add<number>("exclusiveMinimum", (value, rule: number) => value > rule);
  add<number>("exclusiveMaximum", (value, rule: number) => value < rule);
  add<number>("multipleOf", isMultipleOf);
  const base = type === "number" ? v.number(number) : v.custom<number>((value) => Number.isInteger(value), number);
  return v.pipe(base, ...(checks as never[]));
}

function bound(context: Context, schema: Record<string, unknown>, keyword: string) {
  const limit = schema[keyword];
  return typeof limit === "number" ? { limit, number: numberOf(context, keyword, schema) } : undefined;
}
