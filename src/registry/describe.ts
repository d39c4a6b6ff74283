/** Operations with their closed types: what openapi.json and the tools of agents are written from. Caches nothing. */
import { and, asc, eq, gt, inArray, sql, type SQL } from "drizzle-orm";
import type { Annotations, Example } from "../model/entities.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import { entities } from "./schema.ts";

export type ClosedOperation = {
  name: string;
  description: string;
  group: string;
  revision: number;
  isAsync: boolean;
  batch: boolean;
  path: string | null;
  annotations: Annotations | null;
  examples: readonly Example[];
  /** JSON texts of JSON Schema 2020-12, self-contained: most are passed on as they are. */
  input: string;
  output: string;
};

/** `cursor` is the last name of the page before. */
export type DescribeOptions = { group?: string; limit?: number; cursor?: string };

/** The same digest is the same operation, to the last word. */
export type Described = { digest: string; operation: ClosedOperation };

/** Names and digests of active operations, in the order of their names. */
export async function listDigests(
  database: Database,
  options: DescribeOptions,
): Promise<{ operations: { name: string; digest: string }[]; nextCursor: string | null }> {
  const { limit } = options;
  const query = database
    .select({ name: entities.name, digest: entities.digest })
    .from(entities)
    .where(activeOperations(conditionsOf(options)))
    .orderBy(asc(entities.name));
  const rows = await answered(limit === undefined ? query : query.limit(limit + 1));
  const operations = limit === undefined ? rows : rows.slice(0, limit);
  return { operations, nextCursor: rows.length > operations.length ? (operations.at(-1)?.name ?? null) : null };
}

/** Some operations by name; or the first so many of all, of a group, behind a name, in the order of their names. */
export type Wanted = { names: readonly string[] } | (DescribeOptions & { limit: number });

/**
 * Those that are there and active. A row comes as one text, because each value of an answer costs on its way: lines of JSON,
 * which has no line ends of its own.
 */
export async function describeOperations(database: Database, wanted: Wanted): Promise<Described[]> {
  const { manifest, resolved } = entities;
  const query = database
    .select({
      text: sql<string>`json_array(${entities.digest}, ${entities.name}, ${entities.revision},
        json_extract(${manifest}, '$.description'), json_extract(${manifest}, '$.group'),
        json_extract(${manifest}, '$.path'), json_extract(${manifest}, '$.is_async'), json_extract(${manifest}, '$.batch'),
        json(coalesce(${manifest} -> '$.examples', '[]')), json(coalesce(${manifest} -> '$.annotations', 'null'))) || char(10) ||
        json(${resolved} -> '$.input.closed') || char(10) || json(${resolved} -> '$.output.closed')`,
    })
    .from(entities)
    .where(activeOperations("names" in wanted ? [inArray(entities.name, [...wanted.names])] : conditionsOf(wanted)))
    .orderBy(asc(entities.name));
  const rows = await answered("names" in wanted ? query : query.limit(wanted.limit));
  return rows.map(({ text }) => {
    const [row = "", input = "", output = ""] = text.split("\n");
    const [digest, name, revision, description, group, path, isAsync, batch, examples, annotations] = JSON.parse(
      row,
    ) as RowFields;
    // Rows from before there were such fields have null there.
    const flags = { isAsync: isAsync === 1, batch: batch === 1 };
    const said = { description, group, path, ...flags, examples, annotations };
    return { digest, operation: { name, revision, ...said, input, output } };
  });
}

function conditionsOf({ group, cursor }: DescribeOptions): SQL[] {
  return [
    ...(group === undefined ? [] : [sql`json_extract(${entities.manifest}, '$.group') = ${group}`]),
    ...(cursor === undefined ? [] : [gt(entities.name, cursor)]),
  ];
}

type Flag = 0 | 1 | null;
type RowFields = [string, string, number, string, string, string | null, Flag, Flag, Example[], Annotations | null];

export function activeOperations(conditions: readonly SQL[]): SQL | undefined {
  return and(eq(entities.kind, "operation"), sql`json_extract(${entities.manifest}, '$.active') = 1`, ...conditions);
}

export async function answered<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw fromDatabaseError(error);
  }
}
