/** `opctl rollback`: an earlier revision becomes the newest again, with the very code and types it had; also of what was deleted. */
import type { Command } from "commander";
import { contextOf, examples, type CommandModule } from "../command.ts";
import { KIND_NAMES, parseKind } from "../kinds.ts";
import { parseCount } from "../numbers.ts";
import { rollbackEntry } from "../registry.ts";
import { sayWarnings } from "../warnings.ts";

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<kind>", KIND_NAMES.join(", "))
      .argument("<name>", "the entry")
      .requiredOption("--to <revision>", "the revision to restore; `opctl describe` lists them")
      .action(async (kindWord: string, name: string, options: { to: string }) => {
        const context = contextOf(command);
        const kind = parseKind(kindWord);
        const to = parseCount("--to", options.to);
        const { entry } = await rollbackEntry(context.client, kind, name, to);
        context.output.say(`${kind} ${name}: revision ${entry.meta.revision} restores revision ${to}`);
        sayWarnings(context.output, kind, entry);
        if (context.globals.json) context.output.value(entry);
      });
    examples(command, [["opctl rollback operation my_demo_operation --to 1", "code and types as they were then"]]);
  },
};
