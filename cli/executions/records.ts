/**
 * The words for what is no registry entry and can be listed and shown all the same: executions, artifacts, changes and
 * deliveries. They have an id or a number instead of a name and are never edited, so only `get` and `describe` know them.
 */
import { didYouMean } from "../../src/core/did-you-mean.ts";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Kind } from "../../src/model/entities.ts";
import { KIND_NAMES, KIND_SPELLINGS, parseKind } from "../kinds.ts";

export type RecordKind = "execution" | "artifact" | "change" | "delivery";
const RECORD_WORDS: Readonly<Record<string, RecordKind>> = {
  execution: "execution",
  executions: "execution",
  artifact: "artifact",
  artifacts: "artifact",
  change: "change",
  changes: "change",
  delivery: "delivery",
  deliveries: "delivery",
};
export const RECORD_PLURALS: Readonly<Record<RecordKind, string>> = {
  execution: "executions",
  artifact: "artifacts",
  change: "changes",
  delivery: "deliveries",
};

/** All words that `get` and `describe` take for a kind. */
export const ALL_KIND_WORDS: readonly string[] = [...KIND_SPELLINGS, ...Object.keys(RECORD_WORDS)];
export const ALL_KIND_NAMES: readonly string[] = [...KIND_NAMES, "execution", "artifact", "change", "delivery"];

export type AnyKind = { record: RecordKind } | { entry: Kind };

export function parseAnyKind(word: string, verb: string): AnyKind {
  const lower = word.toLowerCase();
  const record = Object.hasOwn(RECORD_WORDS, lower) ? RECORD_WORDS[lower] : undefined;
  if (record !== undefined) return { record };
  const id = /^(?:ex|ar|dl)_/.exec(lower)?.[0];
  if (id !== undefined) {
    const kind = id === "ex_" ? "execution" : "delivery";
    throw new SwitchyardError("usage", `Cannot read the kind "${word}": the kind comes first, then the id`, {
      hint: id === "ar_" ? `opctl artifact get ${lower}` : `opctl ${verb} ${kind} ${lower}`,
    });
  }
  const spelling = lower.replaceAll("_", "-");
  if (KIND_SPELLINGS.includes(spelling)) return { entry: parseKind(word) };
  const near = didYouMean(spelling, ALL_KIND_WORDS);
  throw new SwitchyardError("usage", `Cannot read the kind "${word}": it must be one of ${ALL_KIND_NAMES.join(", ")}`, {
    hint: /^runners?$/.test(lower)
      ? "opctl runner list --environment NAME"
      : near === undefined
        ? "Singular and plural both work."
        : `Did you mean "${near}"?`,
  });
}
