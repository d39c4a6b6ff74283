/** YAML in and out. Its own file because the library is loaded only by commands that speak YAML. */
import { parseAllDocuments, stringify, type Document } from "yaml";
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
      if (error === undefined) return valueOf(document, source);
      throw new SwitchyardError("usage", `Cannot read "${source}": it must be YAML; ${error.message.split("\n")[0]}`, {
        hint: error.message.split("\n").slice(1).join("\n").trim() || "Mend the text and try again.",
        cause: error,
      });
    });
}

/** Aliases are counted when they are followed: a few lines of them can stand for gigabytes. */
function valueOf(document: Document, source: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SwitchyardError(
      "usage",
      `Cannot read "${source}": its aliases must be few and lead somewhere; ${reason}`,
      {
        hint: "Write out what the aliases stand for.",
        cause,
      },
    );
  }
}
