/**
 * The input of a call at an operation's own path: the parameters of the path, those of the query and the members of the
 * body, as one object. Nothing is said twice; texts are read as the input type means them.
 */
import { SwitchyardError } from "../../core/errors.ts";
import type { ParsedJson } from "../../core/json.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import { takesMany, textReader, type TextReader } from "../../types/index.ts";

export type RequestParts = {
  path: ReadonlyMap<string, string>;
  query: URLSearchParams;
  /** undefined where there was none. */
  body: ParsedJson | undefined;
};

/** One reader for each revision, as long as it is in use. */
const readers = new WeakMap<ResolvedOperation, TextReader>();

/** Throws bad_request, or what makes JSON in a parameter unacceptable. Whether it fits the type is not looked at here. */
export function requestInput(operation: ResolvedOperation, { path, query, body }: RequestParts): ParsedJson {
  if (path.size === 0 && query.size === 0 && body !== undefined) return body;
  const members = new Map<string, unknown>(body === undefined ? [] : Object.entries(objectOf(body.value)));
  const places = new Map<string, string>();
  const put = (place: string, name: string, texts: readonly string[]): void => {
    if (name === "__proto__") {
      throw new SwitchyardError("forbidden_key", `Cannot read the ${place}: no parameter may be named "__proto__"`);
    }
    if (members.has(name)) {
      throw new SwitchyardError(
        "bad_request",
        `Cannot read the parameter "${name.slice(0, 100)}": it must be given once; it is in the ${place} and in the ${places.get(name) ?? "body"}`,
      );
    }
    places.set(name, place);
    members.set(name, readerOf(operation)(name, texts));
  };
  for (const [name, text] of path) put("path", name, [text]);
  for (const [name, given] of Map.groupBy(query, ([each]) => each)) {
    const texts = given.map(([, text]) => text);
    if (texts.length > 1 && !takesMany(operation.input.schema, name)) {
      throw new SwitchyardError(
        "bad_request",
        `Cannot read the parameter "${name.slice(0, 100)}": it must be given once, because it is no list; it is there ${texts.length} times`,
      );
    }
    put("query", name, texts);
  }
  const value = Object.fromEntries(members);
  return { value, text: JSON.stringify(value) };
}

function readerOf(operation: ResolvedOperation): TextReader {
  let reader = readers.get(operation);
  if (reader === undefined) {
    reader = textReader(operation.input.schema);
    readers.set(operation, reader);
  }
  return reader;
}

function objectOf(value: unknown): Record<string, unknown> {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the body: beside parameters it must be a JSON object; it is ${value === null ? "null" : Array.isArray(value) ? "an array" : typeof value}`,
  );
}
