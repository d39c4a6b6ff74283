/** `opctl duplicate`: a copy under another name, with fields of its own. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Kind } from "../../src/model/entities.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { KIND_NAMES, KIND_WORDS, parseKind } from "../kinds.ts";
import { duplicateEntry } from "../registry.ts";
import { readSettings } from "../settings.ts";
import { sayNewToken } from "../token.ts";
import { sayWarnings } from "../warnings.ts";

type Options = { set?: string[] };

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<kind>", KIND_NAMES.join(", "))
      .argument("<name>", "the entry to copy")
      .option("-s, --set <key=value>", "a field of the copy; name=… is needed; repeatable", collect)
      .action(async (kind: string, name: string, options: Options) => {
        await duplicate(contextOf(command), parseKind(kind), name, options.set ?? []);
      });
    examples(command, [
      ["opctl duplicate operation my_demo_operation -s name=shout_demo -s timeout_ms=1000", ""],
      ["opctl duplicate type echo_input -s name=echo_input_strict", ""],
    ]);
  },
};

async function duplicate(context: Context, kind: Kind, name: string, words: readonly string[]): Promise<void> {
  const overrides = readSettings(words, KIND_WORDS[kind].text);
  if (typeof overrides["name"] !== "string" || overrides["name"] === "") {
    throw new SwitchyardError("usage", `Cannot duplicate ${kind} "${name}": the copy must have a name of its own`, {
      hint: `opctl duplicate ${kind} ${name} -s name=${name}_copy`,
    });
  }
  const { entry } = await duplicateEntry(context.client, kind, name, overrides);
  context.output.say(`${kind} ${entry.name}: copied from ${name}, revision ${entry.meta.revision}`);
  sayWarnings(context.output, kind, entry);
  if (kind === "token") sayNewToken(context, entry);
  else if (context.globals.json) context.output.value(entry);
}
