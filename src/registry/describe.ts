/** Operations with their closed types: what openapi.json is written from. Reads, and caches nothing. */
import { and, asc, between, eq, gt, inArray, sql, type SQL } from "drizzle-orm";
import type { Example } from "../model/entities.ts";
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
  { group, limit, cursor }: DescribeOptions,
): Promise<{ operations: { name: string; digest: string }[]; nextCursor: string | null }> {
  const conditions = [
    ...(group === undefined ? [] : [sql`json_extract(${entities.manifest}, '$.group') = ${group}`]),
    ...(cursor === undefined ? [] : [gt(entities.name, cursor)]),
  ];
  const query = database
    .select({ name: entities.name, digest: entities.digest })
    .from(entities)
    .where(active(conditions))
    .orderBy(asc(entities.name));
  const rows = await answered(limit === undefined ? query : query.limit(limit + 1));
  const operations = limit === undefined ? rows : rows.slice(0, limit);
  return { operations, nextCursor: rows.length > operations.length ? (operations.at(-1)?.name ?? null) : null };
}

/** Some operations by name, or all from one name to another. */
export type Wanted = { names: readonly string[] } | { from: string; to: string };

/** Those that are there and active. In few columns, because each value of an answer costs on its way. */
export async function describeOperations(database: Database, wanted: Wanted): Promise<Described[]> {
  const { manifest, resolved } = entities;
  const which =
    "names" in wanted ? inArray(entities.name, [...wanted.names]) : between(entities.name, wanted.from, wanted.to);
  const rows = await answered(
    database
      .select({
        digest: entities.digest,
        row: sql<string>`json_array(${entities.name}, ${entities.revision}, json_extract(${manifest}, '$.description'),
          json_extract(${manifest}, '$.group'), json_extract(${manifest}, '$.path'),
          json_extract(${manifest}, '$.is_async'), json_extract(${manifest}, '$.batch'),
          json(coalesce(${manifest} -> '$.examples', '[]')))`,
        input: sql<string>`${resolved} -> '$.input.closed'`,
        output: sql<string>`${resolved} -> '$.output.closed'`,
      })
      .from(entities)
      .where(active([which])),
  );
  return rows.map(({ digest, row, input, output }) => {
    const [name, revision, description, group, path, isAsync, batch, examples] = JSON.parse(row) as RowFields;
    // Rows from before there were such fields have null there.
    const flags = { isAsync: isAsync === 1, batch: batch === 1 };
    return { digest, operation: { name, revision, description, group, path, ...flags, examples, input, output } };
  });
}

type Flag = 0 | 1 | null;
type RowFields = [string, number, string, string, string | null, Flag, Flag, Example[]];

function active(conditions: readonly SQL[]): SQL | undefined {
  return and(eq(entities.kind, "operation"), sql`json_extract(${entities.manifest}, '$.active') = 1`, ...conditions);
}

async function answered<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw fromDatabaseError(error);
  }
}
