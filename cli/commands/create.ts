/** `opctl create`: a new entry, from words or from a manifest. Never changes one that is there. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Kind } from "../../src/model/entities.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { KIND_NAMES, KIND_WORDS, parseKind } from "../kinds.ts";
import { createEntry, type JsonObject, type Read } from "../registry.ts";
import { readSettings } from "../settings.ts";
import { sayNewToken } from "../token.ts";
import { sayWarnings } from "../warnings.ts";

type Options = { set?: string[]; file?: string[] };

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("[kind]", `${KIND_NAMES.join(", ")}; a manifest that says its kind needs none`)
      .argument("[manifest]", "a file, a folder or - (stdin); the same as -f")
      .option("-s, --set <key=value>", "a field; a.b=value sets inside one; key:=json; repeatable", collect)
      .option("-f, --file <path>", "manifests: a file, a folder or -; repeatable", collect)
      .action(async (kind: string | undefined, manifest: string | undefined, options: Options) => {
        const file = manifest === undefined ? options.file : [manifest, ...(options.file ?? [])];
        const given = { ...options, ...(file === undefined ? {} : { file }) };
        await create(contextOf(command), kind === undefined ? undefined : parseKind(kind), given);
      });
    examples(command, [
      [`opctl create type -s name=point -s 'attributes={"x":{"data_type":"float"},"y":{"data_type":"float"}}'`, ""],
      ["opctl create operation -s name=shout -s implemented_at=echo:shout -s group=demo", ""],
      [`opctl create environment - <<< '{"name":"rack-1","adapter":"runner"}'`, "the manifest from stdin"],
      ["opctl create schedule -s name=nightly -s operation=report -s cron='0 2 * * *' -s time_zone=Europe/Berlin", ""],
      [
        `opctl create webhook -s name=pushes -s operation=build -s scheme=github -s 'secrets=["github_key"]'`,
        "then opctl webhook test pushes",
      ],
      [
        `opctl create subscription -s name=told -s 'operations=["build"]' -s operation=announce`,
        "then opctl subscription test told",
      ],
      ["opctl create -f operation.yaml", "the manifest says its kind"],
    ]);
  },
};

async function create(context: Context, kind: Kind | undefined, options: Options): Promise<void> {
  if (options.file !== undefined && options.set === undefined) return createFromFiles(context, options.file, kind);
  if (kind === undefined || options.set === undefined || options.file !== undefined) {
    throw new SwitchyardError(
      "usage",
      "Cannot create an entry: give either a kind with -s key=value, or -f with a manifest",
      {
        hint: "opctl help create shows examples.",
      },
    );
  }
  const manifest: JsonObject = readSettings(options.set, KIND_WORDS[kind].text);
  report(context, kind, await createEntry(context.client, kind, manifest));
}

async function createFromFiles(context: Context, files: readonly string[], kind: Kind | undefined): Promise<void> {
  const [{ loadManifests }, { inOrder }, { carryOut }] = await Promise.all([
    import("../manifests/load.ts"),
    import("../manifests/order.ts"),
    import("../manifests/carry-out.ts"),
  ]);
  for (const document of inOrder(loadManifests(files, kind))) {
    const read = await carryOut(context.client, { action: "create", document });
    if (read !== undefined) report(context, document.kind, read);
  }
}

function report(context: Context, kind: Kind, { entry }: Read): void {
  context.output.say(`${kind} ${entry.name}: created (revision ${entry.meta.revision})`);
  sayWarnings(context.output, kind, entry);
  if (kind === "token") sayNewToken(context, entry);
  else if (context.globals.json) context.output.value(entry);
}
