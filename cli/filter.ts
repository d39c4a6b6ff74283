/** Filters as the registry takes them: `{"field": {"op": "$eq", "value": …}}`, or the short `field=value` for `$eq`. */
import { SwitchyardError } from "../src/core/errors.ts";
import { parseAssignment } from "./assignments.ts";
import type { JsonObject } from "./registry.ts";

export function parseFilter(words: readonly string[]): JsonObject {
  return Object.assign({}, ...words.map(parseOne)) as JsonObject;
}

function parseOne(word: string): JsonObject {
  if (!word.trimStart().startsWith("{")) {
    const { key, text } = parseAssignment(word);
    return { [key]: { op: "$eq", value: scalar(text) } };
  }
  try {
    return JSON.parse(word) as JsonObject;
  } catch (error) {
    throw new SwitchyardError(
      "usage",
      `Cannot read the filter "${word}": it must be JSON; ${error instanceof Error ? error.message : String(error)}`,
      { hint: `Example: '{"name":{"op":"$like","value":"echo%"}}', or short: group=demo`, cause: error },
    );
  }
}

function scalar(text: string): unknown {
  return /^(?:true|false|null|-?\d+(?:\.\d+)?)$/.test(text) ? JSON.parse(text) : text;
}
