/** `opctl describe`: one entry or execution in full, laid out for people. Scripts use `opctl get … -o json`. */
import type { Command } from "commander";
import { toSwitchyardError } from "../../src/core/errors.ts";
import type { Kind } from "../../src/model/entities.ts";
import type { StateMachine } from "../../src/model/state-machines.ts";
import { attributeOf } from "../attributes.ts";
import { parseAnswer } from "../client.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { ALL_KIND_NAMES, parseAnyKind } from "../executions/records.ts";
import { listRevisions, readEntry, type Entry } from "../registry.ts";
import { renderSchema } from "../render/schema.ts";
import { renderTable } from "../render/table.ts";

/** How many revisions the view shows; `opctl get` and the API have them all. */
const HEAD = 5;

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<kind>", ALL_KIND_NAMES.join(", "))
      .argument("<name>", "the entry; the id of an execution")
      .action(async (word: string, name: string) => {
        const context = contextOf(command);
        const kind = parseAnyKind(word, "describe");
        if ("entry" in kind) return describe(context, kind.entry, name);
        const { describeRecord } = await import("../executions/describe-record.ts");
        return describeRecord(context, kind.record, name);
      });
    examples(command, [
      ["opctl describe type echo_input", "the type's members"],
      ["opctl describe operation my_demo_operation", "types, implementation, revisions"],
      ["opctl describe execution ex_…", "its course, input, output and last log lines"],
    ]);
  },
};

async function describe(context: Context, kind: Kind, name: string): Promise<void> {
  const { entry } = await readEntry(context.client, kind, name);
  if (context.globals.json) return context.output.value(entry);
  const parts = [heading(kind, entry), fields(kind, entry)];
  if (kind === "operation") parts.push(await operationTypes(context, name), examplesOf(entry));
  if (kind === "type") parts.push(await typeMembers(entry));
  if (kind === "module") parts.push(moduleExports(entry));
  if (kind === "schedule") parts.push(await scheduleTimes(context, name));
  if (kind === "service") parts.push(await serviceAtWork(context, name));
  if (kind === "state_machine") {
    const { toText } = await import("../../src/machines/diagram.ts");
    parts.push(`States and the ways between them\n${indent(toText(entry as unknown as StateMachine))}`);
  }
  if (kind === "agent") {
    const [{ readStatus }, { statusText }, { attemptsOf }] = await Promise.all([
      import("../agents/api.ts"),
      import("../agents/lines.ts"),
      import("../agents/waited-for.ts"),
    ]);
    const status = await readStatus(context.client, name);
    parts.push(`At work\n${indent(statusText(status, await attemptsOf(context.client, status.plan)))}`);
  }
  const revisions = await listRevisions(context.client, kind, name, HEAD + 1);
  parts.push(`Revisions\n${indent(revisionTable(revisions.slice(0, HEAD)))}`);
  if (revisions.length > HEAD) parts.push(`  … and older ones: opctl call list_${kind}_revision name=${name}`);
  context.output.data(parts.filter((part) => part !== "").join("\n\n"));
}

function heading(kind: Kind, entry: Entry): string {
  const description =
    typeof entry["description"] === "string" && entry["description"] !== "" ? `\n${entry["description"]}` : "";
  return `${kind} ${entry.name}, revision ${entry.meta.revision}${description}`;
}

/** Every field that says something; those told elsewhere in the view are left out. */
function fields(kind: Kind, entry: Entry): string {
  const elsewhere = new Set([
    "name",
    "description",
    "meta",
    "schema",
    "attributes",
    "examples",
    ...(kind === "module" ? ["exports"] : []),
    ...(kind === "state_machine" ? ["states", "transitions"] : []),
  ]);
  const rows = Object.keys(entry)
    .filter((key) => !elsewhere.has(key))
    .map((key) => [key, attributeOf(entry, key)] as const)
    .filter(([, value]) => value !== null && value !== undefined && !isEmpty(value))
    .filter(([key, value]) => value !== false || key === "active");
  const code = entry.meta.resolved?.code_sha256;
  const all = [
    ...rows,
    ...(code == null ? [] : [["code_sha256", code] as const]),
    ["digest", entry.meta.digest] as const,
  ];
  const width = Math.max(...all.map(([key]) => key.length));
  return all
    .map(([key, value]) => `  ${key.padEnd(width)}  ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("\n");
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

async function operationTypes(context: Context, name: string): Promise<string> {
  const answer = await context.client.request("GET", `/ops/${encodeURIComponent(name)}`);
  const types = parseAnswer(answer) as { input_schema?: unknown; output_schema?: unknown };
  return `Input\n${renderSchema(types.input_schema)}\n\nOutput\n${renderSchema(types.output_schema)}`;
}

/** What it is at, or why that cannot be told. */
async function serviceAtWork({ client }: Context, name: string): Promise<string> {
  const [{ readStatus }, { statusText }] = await Promise.all([
    import("../services/api.ts"),
    import("../services/status-text.ts"),
  ]);
  const text = await readStatus(client, name).then(statusText, (thrown: unknown) => toSwitchyardError(thrown).message);
  return `At work\n${indent(text)}`;
}

async function scheduleTimes({ client }: Context, name: string): Promise<string> {
  const { readFirings, readStatus } = await import("../schedules/status.ts");
  const [{ active, next, waiting }, firings] = await Promise.all([
    readStatus(client, name),
    readFirings(client, name, HEAD),
  ]);
  const ahead = next.length === 0 ? (active ? "none" : "none: it is paused") : next.join("\n");
  const past = firings.map((each) => [each.due_at, each.status, each.execution_id, each.reason]);
  const parts = [`Due next\n${indent(ahead)}`];
  if (waiting > 0) parts.push(`Waiting to start\n  ${waiting}`);
  if (past.length > 0)
    parts.push(`Was due\n${indent(renderTable(["due_at", "status", "execution_id", "reason"], past))}`);
  return parts.join("\n\n");
}

/** Each as it is called, and what it then answers. */
function examplesOf(entry: Entry): string {
  const all = (entry["examples"] ?? []) as { summary?: string; input: unknown; output?: unknown }[];
  const lines: string[] = [];
  for (const { summary, input, output } of all) {
    if (summary !== undefined) lines.push(`  # ${summary}`);
    lines.push(`  opctl call ${entry.name} --input '${JSON.stringify(input).replaceAll("'", String.raw`'\''`)}'`);
    if (output !== undefined) lines.push(`  → ${JSON.stringify(output)}`);
  }
  return lines.length === 0 ? "" : `Examples\n${lines.join("\n")}`;
}

async function typeMembers(entry: Entry): Promise<string> {
  if (entry["schema"] !== undefined) return `Schema\n${renderSchema(entry["schema"])}`;
  const attributes = (entry["attributes"] ?? {}) as Record<string, Record<string, unknown>>;
  const rows = Object.entries(attributes).map(([key, { data_type: type, ...rest }]) => [
    key,
    type,
    Object.entries(rest)
      .map(([word, value]) => `${word} ${JSON.stringify(value)}`)
      .join(", "),
  ]);
  return `Attributes\n${indent(renderTable(["name", "data_type", "rules"], rows))}`;
}

function moduleExports(entry: Entry): string {
  const exported = (entry["exports"] ?? {}) as Record<string, { input: TypeOf; output: TypeOf }>;
  const shown = Object.entries(exported).map(
    ([name, { input, output }]) =>
      `  ${name}(${input.name ?? "input"}) → ${output.name ?? "output"}\n    input\n${renderSchema(input.schema, "      ")}\n    output\n${renderSchema(output.schema, "      ")}`,
  );
  return `Exports\n${shown.join("\n")}`;
}
type TypeOf = { name?: string; schema: unknown };

function revisionTable(revisions: Awaited<ReturnType<typeof listRevisions>>): string {
  return renderTable(
    ["revision", "updated_at", "updated_by", "digest"],
    revisions.map((one) => [one.revision, one.updated_at, one.updated_by, one.digest.slice(0, 12)]),
  );
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}
