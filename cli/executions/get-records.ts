/** `opctl get` for what is no entry of the registry: the table, the records themselves, or one of them for people. */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { DeliveryView } from "../../src/model/delivery.ts";
import type { ArtifactView, ExecutionView } from "../../src/model/execution.ts";
import { attributeOf, checkAttributes } from "../attributes.ts";
import type { Context } from "../command.ts";
import { listChanges, type ChangeView } from "../audit/api.ts";
import { cellOfChange } from "../audit/cells.ts";
import { parseDuration } from "../duration.ts";
import { parseKind } from "../kinds.ts";
import { parseCount } from "../numbers.ts";
import type { Entry } from "../registry.ts";
import { renderTable } from "../render/table.ts";
import {
  artifactRoute,
  listArtifacts,
  listDeliveries,
  listExecutions,
  readDelivery,
  readExecution,
  type Listing,
} from "./api.ts";
import { renderTook, tookMs } from "./lines.ts";
import { RECORD_PLURALS, type RecordKind } from "./records.ts";

export type RecordOptions = {
  attribute?: string[];
  limit?: string;
  operation?: string;
  status?: string;
  trigger?: string;
  parent?: string;
  execution?: string;
  webhook?: string;
  since?: string;
  until?: string;
  kind?: string;
  name?: string;
  author?: string;
};
export type Format = "table" | "json" | "yaml";

/** Options of a listing, as the query parameters that they are. */
const CONDITIONS: Readonly<Record<RecordKind, readonly (keyof RecordOptions)[]>> = {
  execution: ["operation", "status", "trigger", "parent", "since"],
  artifact: ["operation", "execution"],
  change: ["kind", "name", "author", "since", "until"],
  delivery: ["webhook", "status", "since"],
};
export const RECORD_CONDITIONS = [
  "operation",
  "status",
  "trigger",
  "parent",
  "since",
  "execution",
  "until",
  "kind",
  "name",
  "author",
  "webhook",
] as const;

const COLUMNS: Readonly<Record<RecordKind, readonly string[]>> = {
  execution: ["id", "operation", "status", "attempt", "accepted", "took"],
  artifact: ["id", "kind", "name", "content_type", "size_bytes", "execution_id", "created_at"],
  delivery: ["id", "webhook", "status", "code", "execution_id", "at"],
  change: ["seq", "at", "who", "action", "kind", "name", "revision", "digests"],
};

/** Records are many: more than these are shown only when asked for. */
const DEFAULT_LIMIT = 50;

export async function getRecords(
  context: Context,
  kind: RecordKind,
  id: string | undefined,
  options: RecordOptions & { format: Format; singular: boolean },
): Promise<void> {
  const { format } = options;
  const wrong = RECORD_CONDITIONS.find(
    (name) => options[name] !== undefined && (id !== undefined || !CONDITIONS[kind].includes(name)),
  );
  if (wrong !== undefined) {
    const rule =
      id === undefined
        ? `it is no condition on ${RECORD_PLURALS[kind]}`
        : "it is a condition of a listing, and an id is given";
    throw new SwitchyardError("usage", `Cannot use --${wrong}: ${rule}`);
  }
  if (id !== undefined) return getRecord(context, kind, id, options);
  if (options.singular) {
    const what = kind === "change" ? "number" : "id";
    throw new SwitchyardError("usage", `Cannot show one ${kind}: its ${what} is missing`, {
      hint: `Did you mean \`opctl get ${RECORD_PLURALS[kind]}\`? It lists them.`,
    });
  }
  const limit = options.limit === undefined ? DEFAULT_LIMIT : parseCount("--limit", options.limit);
  const { items, more } = await list(context, kind, queryOf(kind, options), limit);
  const attributes = options.attribute ?? [];
  // A record is an entry without meta data.
  const entries = items as unknown as Entry[];
  checkAttributes(attributes.filter(isRead), entries);
  if (format !== "table") {
    const shown = attributes.length === 0 ? items : entries.map((entry) => pick(entry, attributes));
    await print(context, format, shown);
  } else if (items.length === 0) context.output.say(`There are no ${RECORD_PLURALS[kind]} that fit.`);
  else {
    const columns = attributes.length > 0 ? attributes : COLUMNS[kind];
    context.output.data(
      renderTable(
        columns,
        entries.map((entry) => columns.map((column) => cellOf(entry, column))),
      ),
    );
  }
  if (more) context.output.say(`There are more; --limit ${limit * 10} shows some of them.`);
}

async function getRecord(
  context: Context,
  kind: RecordKind,
  id: string,
  options: RecordOptions & { format: Format },
): Promise<void> {
  if (kind === "artifact") {
    artifactRoute(id);
    throw new SwitchyardError("usage", "Cannot show one artifact as a row: what there is of it is its content", {
      hint: `opctl artifact get ${id} fetches it; \`opctl get artifacts --execution ID\` lists those of an execution.`,
    });
  }
  if (kind === "change") {
    const { showChange } = await import("../audit/show-change.ts");
    return showChange(context, id, (value) => print(context, options.format, value), options);
  }
  const record = await (kind === "delivery" ? readDelivery(context.client, id) : readExecution(context.client, id));
  const attributes = options.attribute ?? [];
  const entry = record as unknown as Entry;
  checkAttributes(attributes.filter(isRead), [entry]);
  if (options.format !== "table") {
    return print(context, options.format, attributes.length === 0 ? record : pick(entry, attributes));
  }
  if (attributes.length > 0) {
    return context.output.data(renderTable(attributes, [attributes.map((name) => cellOf(entry, name))]));
  }
  if ("webhook" in record) {
    const { renderDelivery } = await import("./render-delivery.ts");
    return context.output.data(renderDelivery(record));
  }
  const { renderExecution } = await import("./render-execution.ts");
  context.output.data(renderExecution(record));
}

function list(
  context: Context,
  kind: RecordKind,
  query: URLSearchParams,
  limit: number,
): Promise<Listing<ExecutionView | ArtifactView | ChangeView | DeliveryView>> {
  const { client } = context;
  switch (kind) {
    case "execution":
      return listExecutions(client, query, limit);
    case "artifact":
      return listArtifacts(client, query, limit);
    case "change":
      return listChanges(client, query, limit);
    case "delivery":
      return listDeliveries(client, query, limit);
  }
}

function queryOf(kind: RecordKind, options: RecordOptions): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of CONDITIONS[kind]) {
    const value = options[name];
    if (typeof value === "string") query.set(name, valueOf(name, value));
  }
  return query;
}

function valueOf(name: keyof RecordOptions, value: string): string {
  if (name === "since" || name === "until") return timeOf(name, value);
  return name === "kind" ? parseKind(value) : value;
}

function timeOf(option: string, text: string): string {
  if (!/^\d{4}-/.test(text)) return new Date(Date.now() - parseDuration(text)).toISOString();
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new SwitchyardError(
    "usage",
    `Cannot read --${option} "${text}": it must be how long ago, such as 2h, or an RFC 3339 time`,
  );
}

/** Whether the attribute is a field of the record, and not one of the table's own columns. */
function isRead(attribute: string): boolean {
  return !["accepted", "took", "who", "digests"].includes(attribute);
}

function cellOf(entry: Entry, column: string): unknown {
  const execution = entry as unknown as ExecutionView;
  if (column === "accepted") return execution.accepted_at;
  if (column === "who" || column === "digests") return cellOfChange(entry as unknown as ChangeView, column);
  if (column !== "took") return attributeOf(entry, column);
  const ms = tookMs(execution);
  return ms === undefined ? null : renderTook(ms);
}

function pick(entry: Entry, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, cellOf(entry, name) ?? null]));
}

async function print(context: Context, format: Format, value: unknown): Promise<void> {
  if (format === "json") context.output.value(value);
  else context.output.data((await import("../yaml.ts")).toYaml(value));
}
