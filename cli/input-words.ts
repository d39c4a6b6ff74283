/**
 * `key=value` words → an operation's input, read by its type: text where the type says string, otherwise JSON.
 * Pure: what is wrong with a word is a usage error that says how to write it.
 */
import { didYouMean } from "../src/core/did-you-mean.ts";
import { SwitchyardError } from "../src/core/errors.ts";
import { define, type Assignment } from "./assignments.ts";
import { isText, propertyNames, typesOf, type Schema } from "./input-type.ts";
import type { JsonObject } from "./registry.ts";

/** The input object that the words say. `schema` is asked for only when a word's meaning depends on it. */
export function readInput(assignments: readonly Assignment[], schema: Schema): JsonObject {
  const input: JsonObject = {};
  for (const { key, text, json } of assignments) {
    if (Object.hasOwn(input, key)) {
      throw new SwitchyardError("usage", `Cannot set "${key}" twice: each key may be given once`, {
        hint: `A list is written as JSON: '${key}:=["a","b"]'`,
      });
    }
    define(input, key, !json && isText(schema, key) ? text : readJson(key, text, json ? undefined : schema));
  }
  return input;
}

const EXAMPLES: Readonly<Record<string, string>> = {
  array: '["a","b"]',
  object: '{"a":1}',
  integer: "1",
  number: "1.5",
  boolean: "true",
};

function readJson(key: string, text: string, schema: Schema | undefined): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const quoted = `'${key}:=${JSON.stringify(text).replaceAll("'", String.raw`'\''`)}'`;
    const names = schema === undefined ? [] : propertyNames(schema);
    const near = names.includes(key) ? undefined : didYouMean(key, names);
    const types = schema === undefined ? [] : typesOf(schema, key);
    const noText = types.length > 0 && !types.includes("string");
    let rule = `the input type does not say that "${key}" is a string, so its value must be JSON`;
    if (noText) rule = `the input type says ${types.join(" or ")}`;
    else if (schema === undefined) rule = "after := the value must be JSON";
    else if (names.length > 0 && !names.includes(key))
      rule = `the input type has no "${key}", so its value must be JSON`;
    let hint = `For the text itself, quote it as JSON: ${quoted}`;
    if (near !== undefined) hint = `Did you mean "${near}"?`;
    else if (noText)
      hint = `Write it as JSON: ${types.map((type) => `'${key}=${EXAMPLES[type] ?? "null"}'`).join(" or ")}`;
    throw new SwitchyardError("usage", `Cannot read the value of "${key}": ${rule}; it is ${text}`, {
      hint,
      cause: error,
    });
  }
}
