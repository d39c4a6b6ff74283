/**
 * `opctl import openapi`: an API that is described becomes operations. They are applied as manifests are; `--dry-run` shows those,
 * `-o` writes them. What the document says and no operation can do is listed on stderr.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { NAME_PATTERN } from "../../src/model/names.ts";
import { snakeCase } from "../build/snake-case.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { openDocuments, type Documents } from "../import/documents.ts";
import { fetchDocument } from "../import/fetch-document.ts";
import { importOpenApi, type Imported } from "../import/import-openapi.ts";
import { KIND_WORDS, parseKind } from "../kinds.ts";
import { applyDocuments } from "../manifests/apply-documents.ts";
import { readDocument } from "../manifests/load.ts";
import type { JsonObject } from "../registry.ts";
import { toYaml } from "../yaml.ts";

type Options = {
  exposure?: string;
  service?: string;
  prefix: string;
  group?: string;
  dryRun?: boolean;
  output?: string;
};

export const command: CommandModule = {
  define(importing: Command) {
    const openapi = importing
      .command("openapi")
      .description("make operations of an OpenAPI 3.0 or 3.1 document, in YAML or JSON");
    openapi
      .argument("<document>", "a file, an http URL or -")
      .option(
        "--exposure <name>",
        "what the operations name, there already unless --service makes it; else the service, else the document's title",
        name,
      )
      .option("--service <name>", "also make that exposure, which leads to this service", name)
      .option("--prefix <text>", "before each operation's name", "")
      .option("-g, --group <name>", "the operations' group", name)
      .option("--dry-run", "print the manifests, write nothing")
      .option("-o, --output <folder>", "write a file for each manifest instead of applying them")
      .action(async (document: string, options: Options) => {
        await importDocument(contextOf(openapi), document, options);
      });
    examples(openapi, [
      ["opctl import openapi albums.yaml --service albums_python", "operations, and the exposure that they name"],
      ["opctl import openapi https://api.example.com/openapi.json --exposure shop --prefix shop_ --dry-run", ""],
      ["opctl import openapi albums.yaml --exposure albums -o manifests", "files for opctl apply"],
    ]);
  },
};

function name(text: string): string {
  if (NAME_PATTERN.test(text)) return text;
  throw new InvalidArgumentError("It must start with a-z and go on with at most 127 of a-z 0-9 _ . -");
}

async function importDocument(context: Context, source: string, options: Options): Promise<void> {
  const documents = await open(source);
  const imported = await importOpenApi(documents, { ...options, exposure: exposureOf(documents.root, options) });
  say(context, imported);
  const { manifests, skipped } = imported;
  const operations = manifests.filter(({ kind }) => kind === "operation").length;
  if (operations === 0) {
    throw new SwitchyardError(
      "definition_invalid",
      `Cannot import "${source}": one of its operations at least must be one that can be carried; it has ${skipped.length}, and none is`,
      { hint: "What stands in the way of each is listed above." },
    );
  }
  // Held to the rules of manifests in any case: what is printed or written can be applied.
  const read = manifests.map((manifest) => readDocument(manifest, { source, folder: "." }));
  if (options.output !== undefined) write(manifests, options.output);
  else if (options.dryRun !== true) return applyDocuments(context, read);
  else if (context.globals.json) context.output.value(manifests);
  else context.output.data(manifests.map((manifest) => toYaml(manifest)).join("---\n"));
  const where = options.output === undefined ? "Nothing was written" : `In ${options.output}`;
  context.output.say(`${where}: ${operations} operation${operations === 1 ? "" : "s"}.`);
}

async function open(source: string): Promise<Documents> {
  if (/^https?:\/\//.test(source)) return openDocuments(await fetchDocument(source), source);
  try {
    if (source === "-") return openDocuments(readFileSync(0, "utf8"), "stdin");
    return openDocuments(readFileSync(source, "utf8"), source, path.dirname(source));
  } catch (cause) {
    if (cause instanceof SwitchyardError) throw cause;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
      throw new SwitchyardError("usage", `Cannot read "${source}": there must be such a file; it is missing`, {
        cause,
      });
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SwitchyardError("usage", `Cannot read "${source}": it must be a file that can be read; ${reason}`, {
      cause,
    });
  }
}

function exposureOf({ info }: JsonObject, { exposure, service }: Options): string {
  const { title } = (info ?? {}) as JsonObject;
  const found = exposure ?? service ?? (typeof title === "string" ? snakeCase(title) : undefined);
  if (found !== undefined) return found;
  throw new SwitchyardError(
    "usage",
    `Cannot import the document: its operations must name an exposure; the title ${JSON.stringify(title)} makes no name`,
    { hint: "--exposure NAME" },
  );
}

function say({ output }: Context, { skipped, notes }: Imported): void {
  if (skipped.length > 0) output.warn(`not imported:\n${skipped.map((line) => `  ${line}`).join("\n")}`);
  if (notes.length > 0) output.warn(`imported, but for this:\n${notes.map((line) => `  ${line}`).join("\n")}`);
}

/** As `opctl export -d` has them. */
function write(manifests: readonly JsonObject[], folder: string): void {
  for (const manifest of manifests) {
    const inner = path.join(folder, KIND_WORDS[parseKind(manifest["kind"] as string)].plural);
    const file = path.join(inner, `${manifest["name"] as string}.yaml`);
    try {
      mkdirSync(inner, { recursive: true });
      writeFileSync(file, toYaml(manifest));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SwitchyardError("usage", `Cannot write "${file}": it must be writable; ${reason}`, { cause });
    }
  }
}
