/** Attributes of an entry by name: manifest fields, then what the registry resolved, then its meta data. */
import { didYouMean } from "../src/core/did-you-mean.ts";
import { SwitchyardError } from "../src/core/errors.ts";
import type { Entry, JsonObject } from "./registry.ts";

/**
 * The value in force. A field that the manifest leaves null and the registry has resolved (`input_type` taken from the
 * code) shows what it came to; an inline type shows the name it was stored under.
 */
export function attributeOf(entry: Entry, name: string): unknown {
  const { meta, ...manifest } = entry;
  const resolved = (meta?.resolved ?? {}) as JsonObject;
  const own = Object.hasOwn(manifest, name) ? (manifest as JsonObject)[name] : undefined;
  if (own !== null && own !== undefined && !(typeof own === "object" && typeof resolved[name] === "string")) return own;
  if (Object.hasOwn(resolved, name)) return resolved[name] ?? own;
  if (own === undefined && Object.hasOwn(meta ?? {}, name)) return (meta as JsonObject)[name];
  const [first = "", ...rest] = name.split(".");
  if (own === undefined && rest.length > 0) {
    return rest.reduce<unknown>(
      (at, key) => (at as JsonObject | null | undefined)?.[key],
      (entry as JsonObject)[first],
    );
  }
  return own;
}

/** The same as a cell of a table, where an inline definition would only be the beginning of one. */
export function cellOf(entry: Entry, name: string): unknown {
  const value = attributeOf(entry, name);
  if (name === "implemented_at" && value === null) return requestOf(entry);
  const isType = name === "input_type" || name === "output_type";
  return isType && typeof value === "object" && value !== null ? "(inline)" : value;
}

/** Refuses a name that no entry of the list has, with the nearest one that some have. */
export function checkAttributes(names: readonly string[], entries: readonly Entry[]): void {
  if (entries.length === 0) return;
  const known = new Set(
    entries.flatMap(({ meta, ...manifest }) => [
      ...Object.keys(manifest),
      ...Object.keys(meta ?? {}),
      ...Object.keys(meta?.resolved ?? {}),
    ]),
  );
  for (const name of names) {
    // A type has either schema or attributes: a field that this entry happens to lack is no mistake.
    if (
      known.has(name.split(".")[0] ?? "") ||
      ["schema", "attributes", "assert_formats", "last_used_at"].includes(name)
    )
      continue;
    const near = didYouMean(name, known);
    throw new SwitchyardError("usage", `Cannot show the attribute "${name}": the entries have none of that name`, {
      hint: near === undefined ? `They have: ${[...known].join(", ")}` : `Did you mean "${near}"?`,
    });
  }
}

/** Of an operation that a service provides: `albums: GET /albums/{album_id}`. */
function requestOf(entry: Entry): string | null {
  const request = entry["provided_by"] as { exposure: string; method: string; path: string } | null | undefined;
  return request == null ? null : `${request.exposure}: ${request.method} ${request.path}`;
}
