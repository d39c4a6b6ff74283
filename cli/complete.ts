/** What the last of some words could be, read from the command tree: commands, options, kinds, and names by kind. */
import type { Argument, Command, Option } from "commander";
import { ALL_KIND_WORDS } from "./executions/records.ts";
import { KIND_SPELLINGS } from "./kinds.ts";

/** `namesOf` asks the platform for names or ids of a kind; it answers nothing where that is not possible. */
export async function completeWord(
  program: Command,
  words: readonly string[],
  namesOf: (kind: string, prefix: string) => Promise<string[]>,
): Promise<string[]> {
  const last = words.at(-1) ?? "";
  const { command, positional, awaited } = walk(program, words.slice(0, -1));
  const candidates = awaited
    ? await valuesOf(awaited, (kind) => namesOf(kind, last))
    : last.startsWith("-")
      ? optionsOf(command)
      : command.commands.length > 0
        ? command.commands.map((each) => each.name()).filter((name) => !name.startsWith("__"))
        : await argumentsOf(command, positional, (kind) => namesOf(kind, last));
  return candidates.filter((candidate) => candidate.startsWith(last)).toSorted();
}

/** Follows the words down the tree; options and their values are stepped over. */
function walk(
  program: Command,
  words: readonly string[],
): { command: Command; positional: string[]; awaited: Option | undefined } {
  let command = program;
  const positional: string[] = [];
  let awaited: Option | undefined;
  for (const word of words) {
    if (awaited) {
      awaited = undefined;
    } else if (word.startsWith("-")) {
      const option = [...command.options, ...program.options].find((each) => each.short === word || each.long === word);
      awaited = option?.required === true ? option : undefined;
    } else {
      const next = command.commands.find((each) => each.name() === word);
      if (next === undefined) positional.push(word);
      else command = next;
    }
  }
  return { command, positional, awaited };
}

/** None: the shell offers files. */
async function valuesOf(option: Option, namesOf: (kind: string) => Promise<string[]>): Promise<string[]> {
  if (option.argChoices !== undefined) return option.argChoices;
  const kind = VALUES_FROM[option.long ?? ""];
  return kind === undefined ? [] : namesOf(kind);
}

/** Options whose value is the name or id of something. */
const VALUES_FROM: Readonly<Record<string, string>> = {
  "--operation": "operation",
  "--environment": "environment",
  "--parent": "execution",
  "--execution": "execution",
  "--webhook": "webhook",
  "--service": "service",
  "--exposure": "exposure",
};

/** Commands named after a kind, whose `<name>` is one of that kind. */
const NAMED_AFTER_KIND: ReadonlySet<string> = new Set([
  "token",
  "secret",
  "environment",
  "agent",
  "schedule",
  "service",
]);

function optionsOf(command: Command): string[] {
  const all: string[] = ["--help"];
  for (let at: Command | null = command; at !== null; at = at.parent) {
    all.push(...at.options.flatMap((option) => (option.long == null ? [] : [option.long])));
  }
  return all;
}

async function argumentsOf(
  command: Command,
  positional: readonly string[],
  namesOf: (kind: string) => Promise<string[]>,
): Promise<string[]> {
  const declared: readonly Argument[] = command.registeredArguments;
  const argument = declared[positional.length];
  if (argument?.name() === "kind") {
    const records = ["get", "describe"].includes(command.name());
    if (command.name() === "diagram") return ["state-machine"];
    return records ? [...ALL_KIND_WORDS] : [...KIND_SPELLINGS];
  }
  // `cancel` takes several.
  const repeated = declared.at(-1)?.variadic === true ? declared.at(-1) : undefined;
  if ((argument ?? repeated)?.name() === "id")
    return namesOf(command.parent?.name() === "artifact" ? "artifact" : "execution");
  if (argument?.name() !== "name") return [];
  const kindAt = declared.findIndex((each) => each.name() === "kind");
  if (kindAt >= 0) return namesOf(positional[kindAt] ?? "");
  if (command.name() === "call") return namesOf("operation");
  if (command.parent?.name() === "watch") return namesOf(command.name());
  return command.parent === null || !NAMED_AFTER_KIND.has(command.parent.name()) ? [] : namesOf(command.parent.name());
}
