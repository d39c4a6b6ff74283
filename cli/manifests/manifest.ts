/** Manifests: what a user writes about an entry. `kind` first, then the fields, never `meta`. */
import type { Kind } from "../../src/model/entities.ts";
import type { Entry, JsonObject } from "../registry.ts";

/** An entry without what the registry adds to it. */
export function contentOf(entry: Entry): JsonObject {
  const { meta: _, ...content } = entry;
  return content;
}

/** The entry as a document that `apply` and `edit` read back. */
export function manifestOf(kind: Kind, entry: Entry): JsonObject {
  return { kind, ...contentOf(entry) };
}
