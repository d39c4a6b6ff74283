/**
 * Hashes for changes that have none: those from before the chain, after the migration, and those of an earlier version of
 * the platform that still ran beside this one. A hash that is there is never changed. Two who do it at once write the same.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import type { changes } from "../schema.ts";
import { GENESIS, hashOfChange } from "./chain.ts";

const PAGE = 500;

/** `last_revision`: that of the same entry's change before, where that has one already. */
type Row = typeof changes.$inferSelect & { last_revision: number | null };

export async function extendChain(database: Database): Promise<void> {
  const [gap] = await database.all<{ seq: number | null }>(sql`SELECT min(seq) AS seq FROM changes WHERE hash IS NULL`);
  if (gap?.seq == null) return;
  const [before] = await database.all<{ seq: number; hash: string }>(
    sql`SELECT seq, hash FROM changes WHERE seq < ${gap.seq} ORDER BY seq DESC LIMIT 1`,
  );
  let [last, previous] = [before?.seq ?? 0, before?.hash ?? GENESIS];
  for (;;) {
    const rows = await database.all<Row>(sql`
      SELECT c.*, (SELECT p.revision FROM changes p WHERE p.kind = c.kind AND p.name = c.name AND p.seq < c.seq
        ORDER BY p.seq DESC LIMIT 1) AS last_revision
      FROM changes c WHERE c.seq > ${last} ORDER BY c.seq LIMIT ${PAGE}`);
    if (rows.length === 0) return;
    const links: { seq: number; revision: number; hash: string }[] = [];
    const reached = new Map<string, number>();
    for (const row of rows) {
      const entry = `${row.kind} ${row.name}`;
      const made = row.after === null ? 0 : 1;
      const revision = row.revision ?? (reached.get(entry) ?? row.last_revision ?? 0) + made;
      reached.set(entry, revision);
      const hash = row.hash ?? (await hashOfChange(previous, { ...row, revision }));
      if (row.hash === null) links.push({ seq: row.seq, revision, hash });
      [last, previous] = [row.seq, hash];
    }
    await database.run(sql`
      UPDATE changes SET revision = link.value ->> 'revision', hash = link.value ->> 'hash'
      FROM json_each(${JSON.stringify(links)}) AS link
      WHERE changes.seq = link.value ->> 'seq' AND changes.hash IS NULL`);
  }
}
