/** The change log as it is read: who by the name that the token has or had, and what a change made of its entry. */
import { and, desc, eq, gte, inArray, lt, lte, or, sql } from "drizzle-orm";
import { SwitchyardError } from "../../core/errors.ts";
import type { Kind } from "../../model/entities.ts";
import type { View } from "../../model/view.ts";
import type { Database } from "../database.ts";
import { SYSTEM } from "../install.ts";
import { answered, numberOf, page, revisionView, type Page, type Paging } from "../read.ts";
import { changes, revisions, tokenSecrets } from "../schema.ts";

export type ChangeConditions = {
  kind?: string | undefined;
  name?: string | undefined;
  /** A token's id or its name, also of one that is deleted. */
  author?: string | undefined;
  /** RFC 3339: then or later; then or earlier. */
  since?: string | undefined;
  until?: string | undefined;
};

type Row = typeof changes.$inferSelect;
/** `author_name`: the name of the author's token, which is for good; null where no token ever had that id. */
export type ChangeView = Row & { author_name: string | null };

/** Newest first. */
export async function listChanges(
  database: Database,
  { limit, cursor, kind, name, author, since, until }: Paging & ChangeConditions,
): Promise<Page<ChangeView>> {
  const rows = await answered(
    database
      .select()
      .from(changes)
      .where(
        and(
          cursor === undefined ? undefined : lt(changes.seq, numberOf(cursor)),
          kind === undefined ? undefined : eq(changes.kind, kind as Kind),
          name === undefined ? undefined : eq(changes.name, name),
          author === undefined ? undefined : or(eq(changes.author, author), inArray(changes.author, idsOf(author))),
          // Times are all of one form, so their order is that of their texts.
          since === undefined ? undefined : gte(changes.at, new Date(since).toISOString()),
          until === undefined ? undefined : lte(changes.at, new Date(until).toISOString()),
        ),
      )
      .orderBy(desc(changes.seq))
      .limit(limit + 1),
  );
  const { items, next_cursor } = page(rows, limit, ({ seq }) => String(seq));
  const names = await namesOf(database, items);
  return { items: items.map((row) => named(row, names)), next_cursor };
}

/** One change, with its entry before and after it. Throws entity_not_found. */
export async function getChange(
  database: Database,
  seq: number,
): Promise<ChangeView & { entry_before: View | null; entry_after: View | null }> {
  const [row] = await answered(database.select().from(changes).where(eq(changes.seq, seq)));
  if (row === undefined) {
    throw new SwitchyardError("entity_not_found", `Cannot find the change ${seq}: it must be in the log; it is not`, {
      hint: "opctl get changes",
    });
  }
  const revision = row.revision ?? 0;
  const [before, after] = await Promise.all([
    row.before === null ? null : viewOf(database, row, row.after === null ? revision : revision - 1),
    row.after === null ? null : viewOf(database, row, revision),
  ]);
  const names = await namesOf(database, [row]);
  return { ...named(row, names), entry_before: before, entry_after: after };
}

async function viewOf(database: Database, { kind, name }: Row, revision: number): Promise<View | null> {
  const rows = await answered(
    database
      .select()
      .from(revisions)
      .where(and(eq(revisions.kind, kind), eq(revisions.name, name), inArray(revisions.revision, [1, revision]))),
  );
  const found = rows.find((row) => row.revision === revision);
  const first = rows.find((row) => row.revision === 1);
  return found === undefined ? null : revisionView(found, first?.at ?? found.at);
}

function named(row: Row, names: ReadonlyMap<string, string>): ChangeView {
  return { ...row, author_name: names.get(row.author) ?? null };
}

/** A token's name never changes, so what it is called is what it was called. */
export async function namesOf(database: Database, rows: readonly { author: string }[]): Promise<Map<string, string>> {
  const names = new Map<string, string>([[SYSTEM.id, SYSTEM.name]]);
  const wanted = () => [...new Set(rows.map(({ author }) => author))].filter((id) => !names.has(id));
  if (wanted().length > 0) {
    const living = await answered(database.select().from(tokenSecrets).where(inArray(tokenSecrets.id, wanted())));
    for (const { id, name } of living) names.set(id, name);
  }
  if (wanted().length > 0) {
    const id = sql<string>`json_extract(${revisions.resolved}, '$.id')`;
    const past = await answered(
      database
        .selectDistinct({ id, name: revisions.name })
        .from(revisions)
        .where(and(eq(revisions.kind, "token"), inArray(id, wanted()))),
    );
    for (const each of past) names.set(each.id, each.name);
  }
  return names;
}

function idsOf(name: string) {
  return sql`(SELECT json_extract(resolved, '$.id') FROM revisions WHERE kind = 'token' AND name = ${name})`;
}
