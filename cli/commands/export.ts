/**
 * `opctl export`: entries as manifests that `apply` reads back, module code included. One file an entry in a folder
 * (`operations/echo.yaml`, `modules/echo.js`), or one YAML stream with the code in it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Kind } from "../../src/model/entities.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { KIND_WORDS, parseKind } from "../kinds.ts";
import { manifestOf } from "../manifests/manifest.ts";
import { isUserMade, MANIFEST_KINDS } from "../manifests/user-made.ts";
import { listEntries, type Entry, type JsonObject } from "../registry.ts";
import { toYaml } from "../yaml.ts";

type Options = { dir?: string; all?: boolean };

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("[kind]", `one of ${MANIFEST_KINDS.join(", ")}; all of them if not given`)
      .option("-d, --dir <folder>", "write a file for each entry; without it one YAML stream goes to stdout")
      .option("--all", "also what the platform installed by itself")
      .action(async (kind: string | undefined, options: Options) => {
        await exportManifests(contextOf(command), kind === undefined ? MANIFEST_KINDS : [exportable(kind)], options);
      });
    examples(command, [
      ["opctl export -d manifests", "files to keep in a repository"],
      ["opctl export operations", "operations to stdout"],
      ["opctl export | opctl --url $TEST --token $T apply -f -", "promote everything to another stage"],
    ]);
  },
};

function exportable(word: string): Kind {
  const kind = parseKind(word);
  if ((MANIFEST_KINDS as readonly Kind[]).includes(kind)) return kind;
  throw new SwitchyardError(
    "usage",
    `Cannot export ${KIND_WORDS[kind].plural}: a manifest must hold nothing secret, and they are nothing else`,
    {
      hint:
        kind === "token"
          ? "opctl token create makes one in the other registry."
          : "opctl secret set sets one in the other registry.",
    },
  );
}

async function exportManifests(context: Context, kinds: readonly Kind[], options: Options): Promise<void> {
  let count = 0;
  const documents: JsonObject[] = [];
  for (const kind of kinds) {
    for await (const entry of listEntries(context.client, kind)) {
      if (options.all !== true && !isUserMade(kind, entry)) continue;
      count++;
      if (options.dir === undefined) documents.push(await inline(context, kind, entry));
      else await writeFiles(context, { kind, entry, folder: path.join(options.dir, KIND_WORDS[kind].plural) });
    }
  }
  if (options.dir === undefined) {
    if (context.globals.json) context.output.value(documents);
    else if (count > 0) context.output.data(documents.map((document) => toYaml(document)).join("---\n"));
  }
  const where = options.dir === undefined ? "" : ` to ${options.dir}`;
  context.output.say(
    count === 0
      ? "There is nothing to export; --all includes what the platform installed."
      : `Exported ${count} entries${where}.`,
  );
}

async function inline(context: Context, kind: Kind, entry: Entry): Promise<JsonObject> {
  const manifest = manifestOf(kind, entry);
  return kind === "module" ? { ...manifest, code: await codeOf(context, entry) } : manifest;
}

async function writeFiles(
  context: Context,
  { kind, entry, folder }: { kind: Kind; entry: Entry; folder: string },
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const manifest = manifestOf(kind, entry);
  if (kind === "module") {
    manifest["code_file"] = `${entry.name}.js`;
    writeFileSync(path.join(folder, `${entry.name}.js`), await codeOf(context, entry));
  }
  writeFileSync(path.join(folder, `${entry.name}.yaml`), toYaml(manifest));
}

async function codeOf(context: Context, entry: Entry): Promise<string> {
  const answer = await context.client.request("GET", `/modules/${entry["sha256"] as string}`);
  return answer.text;
}
