/** `opctl secret`: values go in and never come out. A value is read from stdin or a prompt, never from an argument. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { askHidden, confirm, isInteractive } from "../ask.ts";
import { attributeOf } from "../attributes.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { KIND_WORDS } from "../kinds.ts";
import { createEntry, deleteEntry, findEntry, listEntries, patchEntry, readEntry, type Entry } from "../registry.ts";
import { renderTable } from "../render/table.ts";

type SetOptions = { group?: string[]; description?: string };

export const command: CommandModule = {
  define(secret: Command) {
    const set = secret
      .command("set")
      .description("store a value, new or in place of the old one")
      .argument("<name>", "operations that list it read it as ctx.secrets.NAME")
      .option("-g, --group <group>", "a group whose operations may use it (default: default); repeatable", collect)
      .option("--description <text>", "what it is for")
      .action(async (name: string, options: SetOptions) => {
        await setSecret(contextOf(set), name, options);
      });
    examples(set, [
      ["opctl secret set api_key", "asks for the value, without showing it"],
      ["opctl secret set api_key --group demo < key.txt", "from a file; one line end at the end is left out"],
    ]);
    const list = secret
      .command("list")
      .description("list the secrets; their values cannot be read")
      .action(async () => {
        await listSecrets(contextOf(list));
      });
    const remove = secret
      .command("delete")
      .description("delete a secret; refused while an operation lists it")
      .argument("<name>", "the secret")
      .option("-y, --yes", "do not ask")
      .action(async (name: string, options: { yes?: boolean }) => {
        await deleteSecret(contextOf(remove), name, options.yes === true);
      });
    examples(secret, [
      ["opctl secret set api_key < key.txt", ""],
      ["opctl secret list", ""],
    ]);
  },
};

async function setSecret(context: Context, name: string, options: SetOptions): Promise<void> {
  const value = isInteractive() ? await askHidden(`Value of ${name}: `) : readFileSync(0, "utf8").replace(/\r?\n$/, "");
  if (value === "") {
    throw new SwitchyardError("usage", `Cannot store the secret "${name}": its value must not be empty; it is`, {
      hint: `Pipe it in: opctl secret set ${name} < file`,
    });
  }
  const fields = {
    value,
    ...(options.group === undefined ? {} : { groups: options.group }),
    ...(options.description === undefined ? {} : { description: options.description }),
  };
  const before = await findEntry(context.client, "secret", name);
  const { entry } =
    before === undefined
      ? await createEntry(context.client, "secret", { name, ...fields })
      : await patchEntry(context.client, "secret", name, fields, before.etag);
  const groups = (entry["groups"] as string[]).join(", ");
  context.output.say(`secret ${name}: ${before === undefined ? "stored" : "replaced"}, for operations of ${groups}`);
  if (context.globals.json) context.output.value(entry);
}

async function listSecrets(context: Context): Promise<void> {
  const entries: Entry[] = [];
  for await (const entry of listEntries(context.client, "secret")) entries.push(entry);
  if (context.globals.json) return context.output.value(entries);
  if (entries.length === 0) return context.output.say("There are no secrets.");
  const { columns } = KIND_WORDS.secret;
  context.output.data(
    renderTable(
      columns,
      entries.map((entry) => columns.map((column) => attributeOf(entry, column))),
    ),
  );
}

async function deleteSecret(context: Context, name: string, yes: boolean): Promise<void> {
  const { etag } = await readEntry(context.client, "secret", name);
  if (!yes && isInteractive() && !(await confirm(`Delete secret ${name}? Its value cannot be brought back.`))) {
    context.output.say("Nothing was deleted.");
    return context.exitWith(1);
  }
  await deleteEntry(context.client, "secret", name, etag);
  context.output.say(`secret ${name}: deleted`);
}
