/** `opctl get`: a table of entries, or the entries themselves as JSON or YAML. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Kind } from "../../src/model/entities.ts";
import { attributeOf, cellOf, checkAttributes } from "../attributes.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { parseFilter } from "../filter.ts";
import { KIND_NAMES, KIND_WORDS, parseKind } from "../kinds.ts";
import { parseCount } from "../numbers.ts";
import { listEntries, readEntry, type Entry } from "../registry.ts";
import { renderTable } from "../render/table.ts";

type Options = {
  attribute?: string[];
  filter?: string[];
  limit?: string;
  revision?: string;
  output?: string;
  all?: boolean;
};

/** The platform's own operations: some fifty rows that would bury everybody's own. */
const BUILT_IN = "registry";

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<kind>", `${KIND_NAMES.join(", ")}; singular or plural`)
      .argument("[name]", "only this entry")
      .option("-a, --attribute <name>", "a column to show, also of meta (revision, updated_at); repeatable", collect)
      .option(
        "-f, --filter <filter>",
        "field=value, or the API's JSON with $eq $ne $in $gt $gte $lt $lte $like",
        collect,
      )
      .option("--all", "built-in operations too; a filter looks among all in any case")
      .option("-l, --limit <n>", "at most this many entries")
      .option("--revision <n>", "the entry as it was at this revision")
      .option("-o, --output <format>", "table, json or yaml", "table")
      .action(async (kind: string, name: string | undefined, options: Options) => {
        await get(contextOf(command), parseKind(kind), name, options);
      });
    examples(command, [
      ["opctl get operations", "your own; with --all the built-in ones too"],
      [
        "opctl get operations echo -a name -a input_type",
        "chosen columns; the type in force, also if it comes from the code",
      ],
      ["opctl get operations --filter group=demo -o yaml", "as YAML"],
      [`opctl get types --filter '{"name":{"op":"$like","value":"echo%"}}' --json`, "as JSON"],
    ]);
  },
};

async function get(context: Context, kind: Kind, name: string | undefined, options: Options): Promise<void> {
  const format = context.globals.json ? "json" : (options.output ?? "table");
  if (!["table", "json", "yaml"].includes(format)) {
    throw new SwitchyardError("usage", `Cannot show entries as "${format}": -o must be table, json or yaml`);
  }
  const entries = await read(context, kind, name, options);
  const names = options.attribute ?? [];
  checkAttributes(names, entries);
  if (format === "table") {
    const columns = names.length > 0 ? names : KIND_WORDS[kind].columns;
    if (entries.length === 0) context.output.say(`There are no ${KIND_WORDS[kind].plural} that fit.`);
    else
      context.output.data(
        renderTable(
          columns,
          entries.map((entry) => columns.map((column) => cellOf(entry, column))),
        ),
      );
    return;
  }
  const shown = entries.map((entry) =>
    names.length === 0
      ? entry
      : Object.fromEntries(names.map((column) => [column, attributeOf(entry, column) ?? null])),
  );
  const value = name === undefined ? shown : shown[0];
  if (format === "json") context.output.value(value);
  else context.output.data((await import("../yaml.ts")).toYaml(value));
}

async function read(context: Context, kind: Kind, name: string | undefined, options: Options): Promise<Entry[]> {
  const revision = options.revision === undefined ? undefined : parseCount("--revision", options.revision);
  if (name !== undefined) return [(await readEntry(context.client, kind, name, revision)).entry];
  if (revision !== undefined)
    throw new SwitchyardError("usage", "Cannot use --revision without a name: give the entry's name");
  const own = kind === "operation" && options.filter === undefined && options.all !== true;
  if (own) context.output.say(`Built-in operations (group ${BUILT_IN}) are left out; --all shows them.`);
  const entries: Entry[] = [];
  const found = listEntries(context.client, kind, {
    ...(own ? { filter: { group: { op: "$ne", value: BUILT_IN } } } : {}),
    ...(options.filter === undefined ? {} : { filter: parseFilter(options.filter) }),
    ...(options.limit === undefined ? {} : { limit: parseCount("--limit", options.limit) }),
  });
  for await (const entry of found) entries.push(entry);
  return entries;
}
