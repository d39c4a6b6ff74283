/** What the built-in functions read: entries and their revisions. Not on the way of a call. */
import { and, asc, desc, eq, gt, inArray, lt } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import type { Kind } from "../model/entities.ts";
import type { View } from "../model/view.ts";
import type { Condition } from "./builtins/schemas.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import type { Row } from "./draft.ts";
import { filterBy } from "./filter.ts";
import { tokenId } from "./kinds/token.ts";
import { entities, revisions, tokenUse } from "./schema.ts";
import { toView } from "./view.ts";
import { notFound } from "./write.ts";

export type Page<T> = { items: T[]; next_cursor: string | null };
export type Paging = { limit: number; cursor?: string | undefined };

export async function listEntities(
  database: Database,
  kind: Kind,
  options: Paging & { conditions: Record<string, Condition> },
): Promise<Page<View>> {
  const { limit, cursor, conditions } = options;
  const after = cursor === undefined ? undefined : gt(entities.name, cursor);
  const rows = await answered(
    database
      .select()
      .from(entities)
      .where(and(eq(entities.kind, kind), after, filterBy(kind, conditions)))
      .orderBy(asc(entities.name))
      .limit(limit + 1),
  );
  return page(await views(database, rows), limit, ({ name }) => name);
}

/** With a revision: as that revision had it. Throws entity_not_found. */
export async function getEntity(
  database: Database,
  kind: Kind,
  options: { name: string; revision?: number | undefined },
): Promise<View> {
  const { name, revision } = options;
  const [row] = await answered(
    database
      .select()
      .from(entities)
      .where(and(eq(entities.kind, kind), eq(entities.name, name))),
  );
  if (row === undefined) throw notFound(kind, name);
  if (revision !== undefined && revision !== row.revision) {
    const [old] = await answered(
      database
        .select()
        .from(revisions)
        .where(and(eq(revisions.kind, kind), eq(revisions.name, name), eq(revisions.revision, revision))),
    );
    if (old !== undefined) return revisionView(old, row.created_at);
    throw new SwitchyardError(
      "entity_not_found",
      `Cannot find revision ${revision} of the ${kind} "${name}": it must be stored; the newest is ${row.revision}`,
    );
  }
  const [view] = await views(database, [row]);
  if (view === undefined) throw notFound(kind, name);
  return view;
}

/** The definitions of those of the names that there are, and which revisions they are, by name, in one look. */
export async function manifestsOf(
  database: Database,
  kind: Kind,
  names: readonly string[],
): Promise<ReadonlyMap<string, { manifest: unknown; revision: number }>> {
  const rows = await answered(
    database
      .select({ name: entities.name, manifest: entities.manifest, revision: entities.revision })
      .from(entities)
      .where(and(eq(entities.kind, kind), inArray(entities.name, [...names]))),
  );
  return new Map(rows.map(({ name, ...row }) => [name, row]));
}

/** Whether there is, or ever was, an entry of that name: the revisions of a deleted one stay. */
export async function wasThere(database: Database, kind: Kind, name: string): Promise<boolean> {
  const found = await answered(
    database
      .select({ revision: revisions.revision })
      .from(revisions)
      .where(and(eq(revisions.kind, kind), eq(revisions.name, name)))
      .limit(1),
  );
  return found.length > 0;
}

/** Newest first. The revisions of a deleted entry stay readable. */
export async function listRevisions(
  database: Database,
  kind: Kind,
  options: Paging & { name: string },
): Promise<Page<View>> {
  const { name, limit, cursor } = options;
  const before = cursor === undefined ? undefined : lt(revisions.revision, numberOf(cursor));
  const [first] = await answered(
    database
      .select({ at: revisions.at })
      .from(revisions)
      .where(and(eq(revisions.kind, kind), eq(revisions.name, name)))
      .orderBy(asc(revisions.revision))
      .limit(1),
  );
  if (first === undefined) throw notFound(kind, name);
  const rows = await answered(
    database
      .select()
      .from(revisions)
      .where(and(eq(revisions.kind, kind), eq(revisions.name, name), before))
      .orderBy(desc(revisions.revision))
      .limit(limit + 1),
  );
  return page(
    rows.map((row) => revisionView(row, first.at)),
    limit,
    ({ meta }) => String(meta.revision),
  );
}

async function views(database: Database, rows: readonly Row[]): Promise<View[]> {
  const tokens = rows.filter(({ kind }) => kind === "token").map(tokenId);
  const used = new Map<string, string>();
  if (tokens.length > 0) {
    for (const { id, last_used_at: at } of await answered(
      database.select().from(tokenUse).where(inArray(tokenUse.id, tokens)),
    ))
      used.set(id, at);
  }
  return rows.map((row) => toView(row, row.kind === "token" ? used.get(tokenId(row)) : undefined));
}

export function revisionView(row: typeof revisions.$inferSelect, createdAt: string): View {
  return toView({ ...row, created_at: createdAt, updated_at: row.at, updated_by: row.author });
}

export function page<T>(rows: T[], limit: number, cursorOf: (last: T) => string): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next_cursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}

export function numberOf(cursor: string): number {
  const value = Number(cursor);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new SwitchyardError(
    "input_invalid",
    `Cannot go on after "${cursor}": the cursor must be the next_cursor of the page before; it is not`,
    {
      errors: [{ pointer: "/cursor", keyword: "cursor", detail: "must be the next_cursor of the page before" }],
    },
  );
}

export async function answered<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw fromDatabaseError(error);
  }
}
