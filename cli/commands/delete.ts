/** `opctl delete`: takes an entry away. Its revisions stay in the registry's history, from which it can be brought back; the name is free. */
import type { Command } from "commander";
import type { Kind } from "../../src/model/entities.ts";
import { confirm, isInteractive } from "../ask.ts";
import { contextOf, examples, type CommandModule } from "../command.ts";
import { KIND_NAMES, parseKind } from "../kinds.ts";
import { deleteEntry, readEntry } from "../registry.ts";

/** What was secret of them goes with them. */
const FOR_GOOD: ReadonlySet<Kind> = new Set(["token", "secret"]);

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<kind>", KIND_NAMES.join(", "))
      .argument("<name>", "the entry")
      .option("-y, --yes", "do not ask; a script is never asked")
      .action(async (kindWord: string, name: string, options: { yes?: boolean }) => {
        const context = contextOf(command);
        const kind = parseKind(kindWord);
        const { entry, etag } = await readEntry(context.client, kind, name);
        if (options.yes !== true && isInteractive()) {
          if (!(await confirm(`Delete ${kind} ${name} (revision ${entry.meta.revision})?`))) {
            context.output.say("Nothing was deleted.");
            return context.exitWith(1);
          }
        }
        await deleteEntry(context.client, kind, name, etag);
        const back = `; \`opctl rollback ${kind} ${name} --to ${entry.meta.revision}\` brings it back`;
        context.output.say(`${kind} ${name}: deleted${FOR_GOOD.has(kind) ? "" : back}`);
      });
    examples(command, [
      ["opctl delete operation my_demo_operation", "asks first"],
      ["opctl delete type point --yes", "refused while something uses it"],
    ]);
  },
};
