/**
 * Operations with their closed types, a page at a time: what openapi.json and the tools of agents are written from. Reads,
 * and caches nothing.
 */
import { and, asc, eq, gt, inArray, sql, type SQL } from "drizzle-orm";
import type { Annotations } from "../model/entities.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import type { OperationResolved } from "./kinds/operation-resolved.ts";
import { withDefaults } from "./kinds/operation-settings.ts";
import { entities } from "./schema.ts";

export type ClosedOperation = {
  name: string;
  description: string;
  group: string;
  revision: number;
  digest: string;
  isAsync: boolean;
  /** Takes a list of `input`. */
  batch: boolean;
  annotations: Annotations | null;
  /** JSON Schema 2020-12, self-contained. */
  input: boolean | Record<string, unknown>;
  output: boolean | Record<string, unknown>;
};

/** `cursor` is the last name of the page before. */
export type DescribeOptions = { group?: string; limit: number; cursor?: string };

export type DescribedPage = { operations: ClosedOperation[]; nextCursor: string | null };

/** Which operations. Only active ones ever are. */
export type Selection = {
  /** undefined: of every group. */
  groups: readonly string[] | undefined;
  /** The functions of the platform that may be among them, and whether under the names that they came with. */
  functions: readonly string[];
  builtins: boolean;
};

const COLUMNS = {
  name: entities.name,
  revision: entities.revision,
  digest: entities.digest,
  manifest: entities.manifest,
  resolved: entities.resolved,
};

export async function describeOperations(
  database: Database,
  { group, limit, cursor }: DescribeOptions,
): Promise<DescribedPage> {
  const rows = await answered(
    database
      .select(COLUMNS)
      .from(entities)
      .where(and(active(), ...(group === undefined ? [] : [sql`${GROUP} = ${group}`]), after(cursor)))
      .orderBy(asc(entities.name))
      .limit(limit + 1),
  );
  const operations = rows.slice(0, limit).map(closed);
  return { operations, nextCursor: rows.length > limit ? (operations.at(-1)?.name ?? null) : null };
}

/** Names and digests only, in the order of names, after `cursor`. */
export function selectOperations(
  database: Database,
  selection: Selection & { limit: number; cursor: string | undefined },
): Promise<{ name: string; digest: string }[]> {
  return answered(
    database
      .select({ name: entities.name, digest: entities.digest })
      .from(entities)
      .where(and(selected(selection), after(selection.cursor)))
      .orderBy(asc(entities.name))
      .limit(selection.limit),
  );
}

/** A text that is another one after any of the selected was written, came or went. */
export async function fingerprint(database: Database, selection: Selection): Promise<string> {
  const [row] = await answered(
    database
      .select({
        text: sql<string>`count(*) || ' ' || coalesce(sum(${entities.revision}), 0) || ' ' || coalesce(max(${entities.updated_at}), '')`,
      })
      .from(entities)
      .where(selected(selection)),
  );
  return row?.text ?? "";
}

/** Those of the names that are active. */
export async function describeNamed(database: Database, names: readonly string[]): Promise<ClosedOperation[]> {
  const rows = await answered(
    database
      .select(COLUMNS)
      .from(entities)
      .where(and(active(), inArray(entities.name, [...names]))),
  );
  return rows.map(closed);
}

const GROUP = sql`json_extract(${entities.manifest}, '$.group')`;
const FUNCTION = sql`json_extract(${entities.resolved}, '$.implementation.function')`;

function active(): SQL | undefined {
  return and(eq(entities.kind, "operation"), sql`json_extract(${entities.manifest}, '$.active') = 1`);
}

function after(cursor: string | undefined): SQL | undefined {
  return cursor === undefined ? undefined : gt(entities.name, cursor);
}

function selected({ groups, functions, builtins }: Selection): SQL | undefined {
  const ofGroup = groups === undefined ? undefined : inArray(GROUP, [...groups]);
  const allowed = inArray(FUNCTION, [...functions]);
  const own = builtins ? undefined : sql`${FUNCTION} <> ${entities.name}`;
  return and(active(), ofGroup, sql`(${FUNCTION} IS NULL OR (${and(allowed, own)}))`);
}

function closed(row: Pick<typeof entities.$inferSelect, keyof typeof COLUMNS>): ClosedOperation {
  const { description, group, is_async: isAsync, batch, annotations } = withDefaults(row.manifest);
  const { input, output } = row.resolved as OperationResolved;
  const { name, revision, digest } = row;
  return {
    name,
    description,
    group,
    revision,
    digest,
    isAsync,
    batch,
    annotations,
    input: input.closed,
    output: output.closed,
  };
}

async function answered<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw fromDatabaseError(error);
  }
}
