/**
 * `opctl edit`: with -s a merge patch, without it the manifest in $EDITOR. Both send the ETag that was read, so an
 * edit made meanwhile by somebody else is refused, never overwritten; the text of a refused edit is kept.
 */
import type { Command } from "commander";
import type { Kind } from "../../src/model/entities.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { KIND_NAMES, KIND_WORDS, parseKind } from "../kinds.ts";
import { patchEntry, readEntry, type Read } from "../registry.ts";
import { readSettings } from "../settings.ts";
import { sayWarnings } from "../warnings.ts";

type Options = { set?: string[] };

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<kind>", KIND_NAMES.join(", "))
      .argument("<name>", "the entry")
      .option(
        "-s, --set <key=value>",
        "set a field; a.b=value sets inside one; key:=json; null removes, of a text key:=null; repeatable",
        collect,
      )
      .action(async (kind: string, name: string, options: Options) => {
        await edit(contextOf(command), parseKind(kind), name, options.set);
      });
    examples(command, [
      ["opctl edit operation my_demo_operation", "in $VISUAL or $EDITOR, as YAML"],
      ["opctl edit operation my_demo_operation -s implemented_at=echo:echo2", "one field"],
      ["opctl edit environment lab -s config.region=eu -s active=false", "a nested field, and a switch"],
    ]);
  },
};

async function edit(context: Context, kind: Kind, name: string, words: readonly string[] | undefined): Promise<void> {
  const patch = words === undefined ? undefined : readSettings(words, KIND_WORDS[kind].text);
  const before = await readEntry(context.client, kind, name);
  if (patch !== undefined) {
    return report(context, kind, before, await patchEntry(context.client, kind, name, patch, before.etag));
  }
  const { editInEditor } = await import("../editor.ts");
  const after = await editInEditor(context, kind, before);
  if (after === undefined) context.output.say(`${kind} ${name}: nothing was changed in the editor; nothing was sent.`);
  else report(context, kind, before, after);
}

function report(context: Context, kind: Kind, before: Read, after: Read): void {
  const { revision } = after.entry.meta;
  if (revision === before.entry.meta.revision) {
    context.output.say(`${kind} ${after.entry.name}: unchanged, it already is so (revision ${revision})`);
  } else {
    context.output.say(`${kind} ${after.entry.name}: revision ${before.entry.meta.revision} → ${revision}`);
  }
  sayWarnings(context.output, kind, after.entry);
  if (context.globals.json) context.output.value(after.entry);
}
