/** `opctl get`: a table of entries or records, or these themselves as JSON or YAML. */
import { Option, type Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Kind } from "../../src/model/entities.ts";
import { attributeOf, cellOf, checkAttributes } from "../attributes.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { DELIVERY_STATUSES } from "../../src/model/delivery.ts";
import { EXECUTION_STATUSES } from "../../src/model/execution-states.ts";
import { CALLER_TYPES } from "../../src/model/principal.ts";
import { getRecords, RECORD_CONDITIONS, type Format, type RecordOptions } from "../executions/get-records.ts";
import { ALL_KIND_NAMES, parseAnyKind, RECORD_PLURALS, type RecordKind } from "../executions/records.ts";
import { parseFilter } from "../filter.ts";
import { KIND_WORDS } from "../kinds.ts";
import { parseCount } from "../numbers.ts";
import { listEntries, readEntry, type Entry } from "../registry.ts";
import { renderTable } from "../render/table.ts";

type Options = RecordOptions & {
  filter?: string[];
  revision?: string;
  output?: string;
  all?: boolean;
};

/** The platform's own operations: some fifty rows that would bury everybody's own. */
const BUILT_IN = "registry";

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<kind>", `${ALL_KIND_NAMES.join(", ")}; singular or plural`)
      .argument("[name]", "only this entry; the id of an execution or a delivery, the number of a change")
      .option("-a, --attribute <name>", "a column to show, also of meta (revision, updated_at); repeatable", collect)
      .option(
        "-f, --filter <filter>",
        "field=value, or the API's JSON with $eq $ne $in $gt $gte $lt $lte $like",
        collect,
      )
      .option("--all", "built-in operations too; a filter looks among all in any case")
      .option("-l, --limit <n>", "at most this many; 50 of what is no entry of the registry if not given")
      .option("--revision <n>", "the entry as it was at this revision")
      .option("-o, --output <format>", "table, json or yaml", "table")
      .option("--operation <name>", "executions and artifacts: of this operation")
      .addOption(
        new Option("--status <status>", "executions and deliveries: with this status").choices([
          ...new Set([...EXECUTION_STATUSES, ...DELIVERY_STATUSES]),
        ]),
      )
      .addOption(new Option("--trigger <what>", "executions: started by such a caller").choices(CALLER_TYPES))
      .option("--parent <id>", "executions: that this execution started")
      .option("--since <when>", "executions, deliveries, changes: since then; how long ago (2h) or an RFC 3339 time")
      .option("--until <when>", "changes: until then")
      .option("--kind <kind>", "changes: of such entries")
      .option("--name <name>", "changes: of this entry")
      .option("--author <token>", "changes: by this token, its name or id")
      .option("--execution <id>", "artifacts: of this execution")
      .option("--webhook <name>", "deliveries: to this webhook")
      .action(async (word: string, name: string | undefined, options: Options) => {
        const context = contextOf(command);
        const kind = parseAnyKind(word, "get");
        if ("entry" in kind) await get(context, kind.entry, name, options);
        else await getOfRecord(context, kind.record, name, { options, word });
      });
    examples(command, [
      ["opctl get operations", "your own; with --all the built-in ones too"],
      [
        "opctl get operations echo -a name -a input_type",
        "chosen columns; the type in force, also if it comes from the code",
      ],
      ["opctl get service albums", "what it is at: state, replicas, how it is reached, what would move it"],
      ["opctl get operations --filter group=demo -o yaml", "as YAML"],
      [`opctl get types --filter '{"name":{"op":"$like","value":"echo%"}}' --json`, "as JSON"],
      ["opctl get executions --operation report --status dead --since 7d", "what ran, newest first"],
      ["opctl get execution ex_…", "one of them, laid out for people"],
      [
        "opctl get deliveries --webhook pushes --status refused",
        "what senders sent, newest first, and why it was refused",
      ],
      ["opctl get changes --kind token --since 7d", "who changed what, newest first"],
      ["opctl get change 42", "what one of them changed, as a diff"],
    ]);
  },
};

function formatOf(context: Context, options: Options): Format {
  const format = context.globals.json ? "json" : (options.output ?? "table");
  if (format === "table" || format === "json" || format === "yaml") return format;
  throw new SwitchyardError("usage", `Cannot show entries as "${format}": -o must be table, json or yaml`);
}

async function getOfRecord(
  context: Context,
  kind: RecordKind,
  id: string | undefined,
  { options, word }: { options: Options; word: string },
): Promise<void> {
  const wrong = (["filter", "all", "revision"] as const).find((name) => options[name] !== undefined);
  if (wrong !== undefined) {
    throw new SwitchyardError(
      "usage",
      `Cannot use --${wrong} with ${RECORD_PLURALS[kind]}: it is for entries of the registry`,
      {
        hint: `\`opctl help get\` shows the conditions that ${RECORD_PLURALS[kind]} have.`,
      },
    );
  }
  const singular = word.toLowerCase() === kind;
  await getRecords(context, kind, id, { ...options, format: formatOf(context, options), singular });
}

async function get(context: Context, kind: Kind, name: string | undefined, options: Options): Promise<void> {
  const wrong = RECORD_CONDITIONS.find((condition) => options[condition] !== undefined);
  if (wrong !== undefined) {
    throw new SwitchyardError(
      "usage",
      `Cannot use --${wrong} with ${KIND_WORDS[kind].plural}: it is for executions or changes`,
      {
        hint: "Entries of the registry are chosen with --filter field=value.",
      },
    );
  }
  const format = formatOf(context, options);
  if (kind === "service" && name !== undefined && options.revision === undefined && options.attribute === undefined) {
    const { getService } = await import("../services/get-service.ts");
    return getService(context, name, format);
  }
  const entries = await toldOf(context, kind, await read(context, kind, name, options), { options, name });
  const names = options.attribute ?? [];
  checkAttributes(names, entries);
  if (format === "table") {
    const columns = names.length > 0 ? names : await columnsOf(kind, name, options);
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

/**
 * Schedules, services and agents say what they do, too: when they are due next and what became of the last due time; their state;
 * their phase and plan.
 */
async function toldOf(
  context: Context,
  kind: Kind,
  entries: Entry[],
  { options, name }: { options: Options; name: string | undefined },
): Promise<Entry[]> {
  if (options.revision !== undefined || options.output === "yaml") return entries;
  if (kind === "service") return (await import("../services/with-statuses.ts")).withStatuses(context, entries);
  if (kind === "agent") {
    const { withStatus, withStatuses } = await import("../agents/status.ts");
    const [only] = entries;
    if (name !== undefined && only !== undefined) return [await withStatus(context.client, only)];
    return withStatuses(context.client, entries);
  }
  if (kind !== "schedule") return entries;
  const { withStatuses } = await import("../schedules/status.ts");
  return withStatuses(context.client, entries);
}

async function columnsOf(kind: Kind, name: string | undefined, { revision }: Options): Promise<readonly string[]> {
  const isAtWork = kind === "agent" && name !== undefined && revision === undefined;
  return isAtWork ? (await import("../agents/status.ts")).AGENT_COLUMNS : KIND_WORDS[kind].columns;
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
