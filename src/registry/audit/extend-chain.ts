/**
 * Hashes for changes that have none: those from before the chain, after the migration, and those of an earlier version of
 * the platform that still ran beside this one. A hash that is there is never changed. Two who do it at once write the same.
 */
import { asc, eq, gt, lt, desc, and, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { changes } from "../schema.ts";
import { GENESIS, hashOfChange } from "./chain.ts";

const PAGE = 500;

type Row = typeof changes.$inferSelect;

export async function extendChain(database: Database): Promise<void> {
  const [gap] = await database.all<{ seq: number | null }>(sql`SELECT min(seq) AS seq FROM changes WHERE hash IS NULL`);
  if (gap?.seq == null) return;
  let [last] = await database
    .select()
    .from(changes)
    .where(lt(changes.seq, gap.seq))
    .orderBy(desc(changes.seq))
    .limit(1);
  for (;;) {
    const rows = await database
      .select()
      .from(changes)
      .where(gt(changes.seq, last?.seq ?? 0))
      .orderBy(asc(changes.seq))
      .limit(PAGE);
    if (rows.length === 0) return;
    const links: { seq: number; revision: number; hash: string }[] = [];
    const reached = new Map<string, number>();
    for (const row of rows) {
      const entry = `${row.kind} ${row.name}`;
      const before = reached.get(entry) ?? (await revisionBefore(database, row));
      const revision = row.revision ?? before + (row.after === null ? 0 : 1);
      reached.set(entry, revision);
      const hash = row.hash ?? (await hashOfChange(last?.hash ?? GENESIS, { ...row, revision }));
      if (row.hash === null) links.push({ seq: row.seq, revision, hash });
      last = { ...row, hash };
    }
    await database.run(sql`
      UPDATE changes SET revision = link.value ->> 'revision', hash = link.value ->> 'hash'
      FROM json_each(${JSON.stringify(links)}) AS link
      WHERE changes.seq = link.value ->> 'seq' AND changes.hash IS NULL`);
  }
}

async function revisionBefore(database: Database, { kind, name, seq }: Row): Promise<number> {
  const [found] = await database
    .select({ revision: changes.revision })
    .from(changes)
    .where(and(eq(changes.kind, kind), eq(changes.name, name), lt(changes.seq, seq)))
    .orderBy(desc(changes.seq))
    .limit(1);
  return found?.revision ?? 0;
}
