/** YAML in and out. Its own file because the library is loaded only by commands that speak YAML. */
import { parseAllDocuments, stringify } from "yaml";
import { SwitchyardError } from "../src/core/errors.ts";

export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 100, aliasDuplicateObjects: false });
}

/** Every document of the text. `source` is named in the error, with line and column. */
export function parseYaml(text: string, source: string): unknown[] {
  const documents = parseAllDocuments(text, { uniqueKeys: true, prettyErrors: true });
  if (!Array.isArray(documents)) return [];
  return documents
    .filter((document) => document.contents !== null)
    .map((document) => {
      const error = document.errors[0];
      if (error === undefined) return document.toJS({ maxAliasCount: 100 }) as unknown;
      throw new SwitchyardError("usage", `Cannot read "${source}": it must be YAML; ${error.message.split("\n")[0]}`, {
        hint: error.message.split("\n").slice(1).join("\n").trim() || "Mend the text and try again.",
        cause: error,
      });
    });
}
