/**
 * Text → the value that a type means by it, for what comes in a URL. A text that the type can only have as a string stays
 * as it is, anything else is read strictly; what cannot be read stays text, and the check of the type refuses it in the
 * type's own words.
 */
import { parseJsonText } from "../core/json.ts";
import { SwitchyardError } from "../core/errors.ts";
import { isRecord, type JsonSchema } from "./definition.ts";
import { additionalOf, follow, itemOf, propertyOf } from "./inside.ts";
import { isOfType, keyOf, typeOf } from "./values.ts";

const TYPES = ["string", "integer", "number", "boolean", "null", "array", "object"] as const;
const ALL: Fit = { types: new Set(TYPES), literals: [] };
const NOTHING: Fit = { types: new Set(), literals: [] };
const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** What a value may be: anything of these types, or one of these values. Never less than the schema lets through. */
type Fit = { types: ReadonlySet<string>; literals: readonly unknown[] };

/** The property's value for the texts that were given for it, of which there is one at least. */
export type TextReader = (property: string, texts: readonly string[]) => unknown;

export function textReader(type: JsonSchema): TextReader {
  const known = new Map<string, { schema: JsonSchema; fit: Fit }>();
  const read = (schema: JsonSchema, fit: Fit, texts: readonly string[]): unknown => {
    const [text = ""] = texts;
    if (texts.length === 1) {
      const single = readOne(fit, text);
      if (single !== undefined) return single.value;
    }
    if (!fit.types.has("array")) return texts.length === 1 ? text : texts;
    return texts.map((each, place) => {
      const item = itemOf(type, schema, place);
      return item === undefined ? each : read(item, fitOf(type, item), [each]);
    });
  };
  return (property, texts) => {
    let at = known.get(property);
    if (at === undefined) {
      // Of a property that nobody named and nobody said anything about, a text is a text.
      const schema = propertyOf(type, property) ?? additionalOf(type) ?? true;
      at = { schema, fit: fitOf(type, schema) };
      // A caller may send any name: only those that the type names are worth remembering.
      if (known.size < 1_000) known.set(property, at);
    }
    return read(at.schema, at.fit, texts);
  };
}

/** Whether several texts for one property can mean anything. */
export function takesMany(type: JsonSchema, property: string): boolean {
  return fitOf(type, propertyOf(type, property) ?? additionalOf(type) ?? true).types.has("array");
}

function readOne({ types, literals }: Fit, text: string): { value: unknown } | undefined {
  if (types.has("string") || literals.includes(text)) return { value: text };
  const literal = literals.find((each) => typeof each !== "string" && JSON.stringify(each) === text);
  if (literal !== undefined) return { value: literal };
  if (text === "null" && types.has("null")) return { value: null };
  if ((text === "true" || text === "false") && types.has("boolean")) return { value: text === "true" };
  if ((types.has("number") || types.has("integer")) && JSON_NUMBER.test(text)) {
    const value = Number(text);
    // One that has become another number would stand for something else: 9007199254740993 is not …992.
    if (Number.isFinite(value) && (!/^-?[0-9]+$/.test(text) || Number.isSafeInteger(value))) return { value };
  }
  if (types.has("object") && text.startsWith("{")) return readObject(text);
  return undefined;
}

function readObject(text: string): { value: unknown } | undefined {
  try {
    return { value: parseJsonText(text) };
  } catch (error) {
    if (error instanceof SwitchyardError && error.code === "malformed_json") return undefined;
    throw error;
  }
}

function fitOf(root: JsonSchema, schema: JsonSchema): Fit {
  const look = { budget: 1_000 };
  const at = (inner: unknown): Fit => {
    if (inner === false) return NOTHING;
    if (!isRecord(inner) || --look.budget < 0) return ALL;
    const { $ref, allOf, anyOf, oneOf, type } = inner;
    let fit = ALL;
    if (type !== undefined) fit = { types: new Set(Array.isArray(type) ? type : [type]), literals: [] };
    if (Object.hasOwn(inner, "const")) fit = meet(fit, { types: new Set(), literals: [inner["const"]] });
    if (Array.isArray(inner["enum"])) fit = meet(fit, { types: new Set(), literals: inner["enum"] });
    if (typeof $ref === "string") fit = meet(fit, at(follow(root, $ref)));
    for (const each of Array.isArray(allOf) ? allOf : []) fit = meet(fit, at(each));
    for (const choices of [anyOf, oneOf]) {
      if (Array.isArray(choices)) fit = meet(fit, choices.map(at).reduce(join, NOTHING));
    }
    return fit;
  };
  return at(schema);
}

function meet(a: Fit, b: Fit): Fit {
  const types = [...a.types].filter((type) => has(b, type)).concat([...b.types].filter((type) => has(a, type)));
  const literals = [
    ...a.literals.filter((each) => takes(b, each)),
    ...b.literals.filter((each) => [...a.types].some((type) => isOfType(each, type))),
  ];
  return { types: new Set(types), literals };
}

function join(a: Fit, b: Fit): Fit {
  return { types: new Set([...a.types, ...b.types]), literals: [...a.literals, ...b.literals] };
}

function has({ types }: Fit, type: string): boolean {
  return types.has(type) || (type === "integer" && types.has("number"));
}

function takes({ types, literals }: Fit, value: unknown): boolean {
  if ([...types].some((type) => isOfType(value, type))) return true;
  return literals.some((each) => typeOf(each) === typeOf(value) && keyOf(each) === keyOf(value));
}
