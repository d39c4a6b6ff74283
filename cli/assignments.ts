/** `key=value` words of a command line, before anything is known about the key. */
import { SwitchyardError } from "../src/core/errors.ts";
import type { JsonObject } from "./registry.ts";

export type Assignment = { key: string; text: string; /** Written `key:=value`. */ json: boolean };

export function parseAssignment(word: string): Assignment {
  const at = word.indexOf("=");
  const json = word[at - 1] === ":";
  const key = word.slice(0, json ? at - 1 : Math.max(at, 0));
  if (key !== "") return { key, text: word.slice(at + 1), json };
  throw new SwitchyardError("usage", `Cannot read the argument "${word}": it must be key=value or key:=json`, {
    hint: word.startsWith("{")
      ? "A whole input is given with --input: opctl call NAME --input '{…}'"
      : "Quote the word if the value has spaces: 'key=two words'",
  });
}

/** Sets a member even where its name means something to the prototype. */
export function define(target: JsonObject, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
