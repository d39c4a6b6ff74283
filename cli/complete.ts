/** What the last of some words could be, read from the command tree: commands, options, kinds, and names by kind. */
import type { Argument, Command } from "commander";
import { KIND_NAMES, KIND_WORDS } from "./kinds.ts";

/** `namesOf` asks the registry; it answers nothing where that is not possible. */
export async function completeWord(
  program: Command,
  words: readonly string[],
  namesOf: (kind: string, prefix: string) => Promise<string[]>,
): Promise<string[]> {
  const last = words.at(-1) ?? "";
  const { command, positional, awaited } = walk(program, words.slice(0, -1));
  if (awaited) return []; // An option's value: the shell offers files.
  const candidates = last.startsWith("-")
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
): { command: Command; positional: string[]; awaited: boolean } {
  let command = program;
  const positional: string[] = [];
  let awaited = false;
  for (const word of words) {
    if (awaited) {
      awaited = false;
    } else if (word.startsWith("-")) {
      const option = [...command.options, ...program.options].find((each) => each.short === word || each.long === word);
      awaited = option?.required === true;
    } else {
      const next = command.commands.find((each) => each.name() === word);
      if (next === undefined) positional.push(word);
      else command = next;
    }
  }
  return { command, positional, awaited };
}

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
  if (argument?.name() === "kind") return [...KIND_NAMES, ...KIND_NAMES.map((kind) => KIND_WORDS[kind].plural)];
  if (argument?.name() !== "name") return [];
  const kindAt = declared.findIndex((each) => each.name() === "kind");
  if (kindAt >= 0) return namesOf(positional[kindAt] ?? "");
  if (command.name() === "call") return namesOf("operation");
  return command.parent === null || !["token", "secret"].includes(command.parent.name())
    ? []
    : namesOf(command.parent.name());
}
