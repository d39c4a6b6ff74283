/** Operations with their closed types, a page at a time: what openapi.json is written from. Reads, and caches nothing. */
import { and, asc, eq, gt, sql } from "drizzle-orm";
import type { Operation } from "../model/entities.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import type { OperationResolved } from "./kinds/operation-resolved.ts";
import { entities } from "./schema.ts";

export type ClosedOperation = {
  name: string;
  description: string;
  group: string;
  revision: number;
  /** JSON Schema 2020-12, self-contained. */
  input: boolean | Record<string, unknown>;
  output: boolean | Record<string, unknown>;
};

/** `cursor` is the last name of the page before. */
export type DescribeOptions = { group?: string; limit: number; cursor?: string };

export type DescribedPage = { operations: ClosedOperation[]; nextCursor: string | null };

export async function describeOperations(
  database: Database,
  { group, limit, cursor }: DescribeOptions,
): Promise<DescribedPage> {
  try {
    const rows = await database
      .select({
        name: entities.name,
        revision: entities.revision,
        manifest: entities.manifest,
        resolved: entities.resolved,
      })
      .from(entities)
      .where(
        and(
          eq(entities.kind, "operation"),
          sql`json_extract(${entities.manifest}, '$.active') = 1`,
          ...(group === undefined ? [] : [sql`json_extract(${entities.manifest}, '$.group') = ${group}`]),
          ...(cursor === undefined ? [] : [gt(entities.name, cursor)]),
        ),
      )
      .orderBy(asc(entities.name))
      .limit(limit + 1);
    const operations = rows.slice(0, limit).map(({ name, revision, manifest, resolved }) => {
      const { description, group } = manifest as Operation;
      const { input, output } = resolved as OperationResolved;
      return { name, description, group, revision, input: input.closed, output: output.closed };
    });
    return { operations, nextCursor: rows.length > limit ? (operations.at(-1)?.name ?? null) : null };
  } catch (error) {
    throw fromDatabaseError(error);
  }
}
