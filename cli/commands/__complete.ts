/** `opctl __complete -- WORDS…`: what could stand in place of the last word, one a line. Asked by the shells. */
import type { Command } from "commander";
import { completeWord } from "../complete.ts";
import { contextOf, type CommandModule } from "../command.ts";
import { createProgram } from "../main.ts";
import { parseKind } from "../kinds.ts";
import { listEntries } from "../registry.ts";

/** A shell that waits for a platform that is away would be worse than no names. Milliseconds. */
const PATIENCE_MS = 1500;

export const command: CommandModule = {
  define(command: Command) {
    command.argument("[words...]", "the words after opctl, the last one unfinished").action(async (words: string[]) => {
      // Behind `--` no word is an option any more, but those that say where the platform is still count.
      for (const name of ["url", "token", "state"]) {
        const at = words.indexOf(`--${name}`);
        if (at >= 0 && words[at + 1]) command.parent?.setOptionValue(name, words[at + 1]);
      }
      const context = contextOf(command);
      const program = await createProgram(words);
      const found = await completeWord(program, words, async (kindWord, prefix) => {
        const names: string[] = [];
        const filter = { name: { op: "$like", value: `${prefix}%` } };
        const giveUpAt = Date.now() + PATIENCE_MS;
        try {
          for await (const { name } of listEntries(context.client, parseKind(kindWord), { filter })) {
            names.push(name);
            if (Date.now() > giveUpAt) break;
          }
        } catch {
          return []; // A Tab is no place for an error.
        }
        return names;
      });
      if (found.length > 0) context.output.data(found.join("\n"));
    });
  },
};
