/** `-s key=value` words → fields of an entry. */
import { SwitchyardError } from "../src/core/errors.ts";
import { define, parseAssignment, type Assignment } from "./assignments.ts";
import type { JsonObject } from "./registry.ts";

/**
 * Fields of an entry, nested by dots (`config.region=eu`). A field in `text` is taken as it stands; anything else is
 * JSON where it is JSON and otherwise plain text, so that both `timeout_ms=1000` and `input_type=echo_input` work.
 */
export function readSettings(words: readonly string[], text: readonly string[]): JsonObject {
  const settings: JsonObject = {};
  for (const word of words) {
    const assignment = parseAssignment(word);
    const path = assignment.key.split(".");
    const last = path.pop() ?? "";
    let target = settings;
    for (const part of path) {
      const next = Object.hasOwn(target, part) ? target[part] : undefined;
      if (typeof next !== "object" || next === null) define(target, part, {});
      target = target[part] as JsonObject;
    }
    define(
      target,
      last,
      path.length === 0 && text.includes(last) && !assignment.json ? assignment.text : readSetting(assignment),
    );
  }
  return settings;
}

function readSetting({ key, text, json }: Assignment): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!json && !/^\s*[[{"]/.test(text)) return text;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SwitchyardError("usage", `Cannot read the value of "${key}": it looks like JSON and is not; ${reason}`, {
      hint: "Keys and strings of JSON stand in double quotes; put the whole word into single quotes for the shell.",
      cause: error,
    });
  }
}

/** `-s variables.X=1` where a text is wanted: how to write that. */
export function withTextHint(error: SwitchyardError, words: readonly string[]): SwitchyardError {
  for (const { pointer, detail } of error.errors ?? []) {
    const start = `${pointer.slice(1).replaceAll("/", ".")}=`;
    const word = words.map((each) => each.replace(/^(?:--set=|-s(?=.))/, "")).find((each) => each.startsWith(start));
    if (word === undefined || !/^must be string; it is (?:true|false|-?\d)/.test(detail)) continue;
    const { errors = [] } = error;
    const hint = `-s '${start}${JSON.stringify(word.slice(start.length))}'`;
    return new SwitchyardError(error.code, error.message, { hint, errors, cause: error });
  }
  return error;
}
