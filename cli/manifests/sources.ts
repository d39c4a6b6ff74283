/** The `-f` of apply, diff and create. */
import { SwitchyardError } from "../../src/core/errors.ts";
import { loadManifests, type Document } from "./load.ts";

/** Like `loadManifests`, and refuses sources without a single manifest: an empty folder is a mistyped path. */
export function loadSources(sources: readonly string[]): Document[] {
  const documents = loadManifests(sources);
  if (documents.length > 0) return documents;
  throw new SwitchyardError(
    "usage",
    `Cannot find a manifest in ${sources.join(", ")}: there must be at least one .yaml, .yml or .json document`,
    {
      hint: "opctl export -d FOLDER writes what the registry has.",
    },
  );
}
