/** `opctl get change 42`: who, when, and what it changed of its entry, as `opctl diff` shows differences. */
import { attributeOf } from "../attributes.ts";
import type { Context } from "../command.ts";
import type { Entry } from "../registry.ts";
import { renderDiff } from "../render/diff.ts";
import { renderTable } from "../render/table.ts";
import { toYaml } from "../yaml.ts";
import { readChange, type ChangedView } from "./api.ts";
import { whoOf } from "./cells.ts";

type Options = { format: "table" | "json" | "yaml"; attribute?: string[] };

export async function showChange(
  context: Context,
  text: string,
  print: (value: unknown) => Promise<void>,
  { format, attribute: names = [] }: Options,
): Promise<void> {
  const change = await readChange(context.client, text);
  const values = names.map((name) => attributeOf(change as unknown as Entry, name) ?? null);
  if (format === "table") {
    return context.output.data(names.length > 0 ? renderTable(names, [values]) : renderChange(change));
  }
  return print(names.length === 0 ? change : Object.fromEntries(names.map((name, index) => [name, values[index]])));
}

export function renderChange(change: ChangedView): string {
  const { seq, action, kind, name, at, revision, entry_before: before, entry_after: after } = change;
  const title = `change ${seq}: ${action} ${kind} ${name}${after === null ? "" : `, revision ${revision}`}`;
  const facts = [
    ["at", at],
    ["by", whoOf(change)],
    ["before", change.before ?? "-"],
    ["after", change.after ?? "-"],
    ["hash", change.hash ?? "-"],
  ].map(([word = "", value]) => `  ${word.padEnd(6)}  ${value}`);
  const names = {
    before: before === null ? "/dev/null" : `registry/${kind}/${name}@${before.meta.revision}`,
    after: after === null ? "/dev/null" : `registry/${kind}/${name}@${after.meta.revision}`,
  };
  const difference = renderDiff(yamlOf(before), yamlOf(after), names);
  const nothing = "Its manifest is as before: what the names in it stand for has changed.";
  return [title, ...facts, "", difference === "" ? nothing : difference].join("\n");
}

/** The manifest, and what the registry resolved of it; what differs from revision to revision in any case is left out. */
function yamlOf(entry: Entry | null): string {
  if (entry === null) return "";
  const { meta, ...content } = entry;
  const all = { ...content, ...(meta.resolved === undefined ? {} : { resolved: meta.resolved }) };
  return toYaml(Object.fromEntries(Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}
