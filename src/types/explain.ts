/**
 * A failed keyword → what the user is told. Both ways of checking end here, so that the same fault reads the same
 * whichever found it.
 */
import { didYouMean } from "../core/did-you-mean.ts";
import type { Issue } from "../core/errors.ts";
import { isRecord } from "./definition.ts";
import { typeOf } from "./values.ts";

/** One check that failed: `value` at `pointer` against `schema[keyword]`. */
export type Failure = { pointer: string; keyword: string; schema: Record<string, unknown>; value: unknown };

/** The keyword for a schema that is just `false`, where no keyword forbids the value by itself. */
export const NOTHING_ALLOWED = "false";
/** Keywords that are said instead, when their own value is `false`. */
export const CLOSING_KEYWORDS: ReadonlySet<string> = new Set([
  "additionalProperties",
  "items",
  "unevaluatedItems",
  "unevaluatedProperties",
]);

/**
 * For `anyOf` of something and null, which of the two is null: then the faults found by the other are what helps, not
 * that neither fits.
 */
export function nullAlternative(schema: Record<string, unknown>): number | undefined {
  const options = schema["anyOf"];
  if (!Array.isArray(options) || options.length !== 2) return undefined;
  const index = options.findIndex(
    (option) => isRecord(option) && option["type"] === "null" && Object.keys(option).length === 1,
  );
  return index === -1 ? undefined : index;
}

/** At most this many issues are answered. */
const MAX_ISSUES = 50;

export function explain(failures: readonly Failure[]): Issue[] {
  const issues = new Map<string, Issue>();
  for (const failure of failures) {
    for (const issue of explainOne(failure)) issues.set(`${issue.pointer} ${issue.keyword} ${issue.detail}`, issue);
    if (issues.size >= MAX_ISSUES) break;
  }
  return [...issues.values()]
    .toSorted((a, b) => compare(a.pointer, b.pointer) || compare(a.keyword, b.keyword) || compare(a.detail, b.detail))
    .slice(0, MAX_ISSUES);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function explainOne({ pointer, keyword, schema, value }: Failure): Issue[] {
  const rule = schema[keyword];
  if (keyword === "required" && Array.isArray(rule) && isRecord(value)) {
    const missing = (rule as string[]).filter((name) => !Object.hasOwn(value, name));
    return missing.map((name) => ({ pointer, keyword, detail: `must have ${JSON.stringify(name)}; it is missing` }));
  }
  return [{ pointer, keyword, detail: detailOf(keyword, rule, schema, value, pointer) }];
}

function detailOf(
  keyword: string,
  rule: unknown,
  schema: Record<string, unknown>,
  value: unknown,
  pointer: string,
): string {
  switch (keyword) {
    case "type":
      return `must be ${[rule].flat().join(" or ")}; it is ${article(value, [rule].flat())}`;
    case "enum":
      return `must be one of ${list(rule)}; it is ${show(value)}`;
    case "const":
      return `must be ${show(rule)}; it is ${show(value)}`;
    case "minimum":
      return `must be at least ${show(rule)}; it is ${show(value)}`;
    case "maximum":
      return `must be at most ${show(rule)}; it is ${show(value)}`;
    case "exclusiveMinimum":
      return `must be more than ${show(rule)}; it is ${show(value)}`;
    case "exclusiveMaximum":
      return `must be less than ${show(rule)}; it is ${show(value)}`;
    case "multipleOf":
      return `must be a multiple of ${show(rule)}; it is ${show(value)}`;
    case "minLength":
      return `must have at least ${show(rule)} characters; it is ${show(value)}`;
    case "maxLength":
      return `must have at most ${show(rule)} characters; it is ${show(value)}`;
    case "pattern":
      return `must match the pattern ${show(rule)}; it is ${show(value)}`;
    case "format":
      return `must be of the format ${String(rule)}; it is ${show(value)}`;
    case "minItems":
      return `must have at least ${show(rule)} items; it has ${lengthOf(value)}`;
    case "maxItems":
      return `must have at most ${show(rule)} items; it has ${lengthOf(value)}`;
    case "uniqueItems":
      return "must not have two equal items";
    case "minProperties":
      return `must have at least ${show(rule)} properties; it has ${lengthOf(value)}`;
    case "maxProperties":
      return `must have at most ${show(rule)} properties; it has ${lengthOf(value)}`;
    case "additionalProperties":
    case "unevaluatedProperties":
      return `is not a property of the type${nearProperty(schema, pointer)}`;
    case "items":
    case "unevaluatedItems":
      return "is one item too many";
    case "anyOf":
      return `must fit one of ${lengthOf(rule)} alternatives; it fits none`;
    case "oneOf":
      return `must fit exactly one of ${lengthOf(rule)} alternatives`;
    case "not":
      return "must not fit the schema under not";
    case "contains":
      return `must have the right number of items that fit the schema under contains`;
    case "dependentRequired":
      return `must have the properties that go with those it has: ${show(rule)}`;
    case "propertyNames":
      return "must have only keys that fit the schema under propertyNames";
    default:
      return "is not allowed";
  }
}

function nearProperty(schema: Record<string, unknown>, pointer: string): string {
  const name = pointer
    .slice(pointer.lastIndexOf("/") + 1)
    .replaceAll("~1", "/")
    .replaceAll("~0", "~");
  const properties = isRecord(schema["properties"]) ? Object.keys(schema["properties"]) : [];
  const near = didYouMean(name, properties);
  if (near !== undefined) return `; did you mean ${show(near)}?`;
  return properties.length === 0 || properties.length > 20 ? "" : `; it has ${properties.map(show).join(", ")}`;
}

/** The value's type, and the number itself where a whole one was wanted. */
function article(value: unknown, wanted: readonly unknown[]): string {
  return typeof value === "number" && wanted.includes("integer") ? `number ${value}` : typeOf(value);
}

function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return isRecord(value) ? Object.keys(value).length : 0;
}

function list(rule: unknown): string {
  if (!Array.isArray(rule)) return show(rule);
  const more = rule.length > 20 ? `, … (${rule.length} in all)` : "";
  return rule.slice(0, 20).map(show).join(", ") + more;
}

function show(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  const text = JSON.stringify(value) ?? "undefined";
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`;
}
