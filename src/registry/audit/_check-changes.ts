/** Changes in order: the chain, the revision that each has made, and the entry where it was the last. */
import { sql } from "drizzle-orm";
import { digestOf } from "../../core/hash.ts";
import type { Database } from "../database.ts";
import { digestOfUses, GENESIS, hashOfChange, type Link, type UsesRow } from "./chain.ts";
import { namesOf } from "./read-changes.ts";
import type { Checked } from "./verify.ts";

/** Each row holds manifests and closed types, up to megabytes of them. */
const CONTENTS_AT_ONCE = 200;

type Row = Pick<Link, "seq" | "kind" | "name" | "action" | "author" | "after" | "revision" | "uses" | "at"> & {
  /** The revision's row. */
  r_digest: string | null;
  r_manifest: string | null;
  r_resolved: string | null;
  r_author: string | null;
  r_at: string | null;
  /** 1: no change of this entry comes after. */
  is_last: number;
  e_revision: number | null;
  e_digest: string | null;
  e_manifest: string | null;
  e_resolved: string | null;
  e_updated_by: string | null;
  e_updated_at: string | null;
  e_created_at: string | null;
  /** When the entry's life began: with its first change, or the first after it was deleted. */
  born_at: string | null;
  /** What the entry in force uses: JSON of rows. */
  e_uses: string | null;
  /** Of a module's revision: 1 where its code is stored. */
  has_code: number;
};

type ChainRow = Link & {
  hash: string | null;
  /** What the change of the same entry before left: null where there was none. */
  last_revision: number | null;
  last_after: string | null;
};

/** The chain of all changes comes first: a change that is gone is named, not what it leaves behind. */
export async function checkChain(
  database: Database,
  [start = 0]: readonly (string | number)[],
  limit: number,
): Promise<Checked> {
  const rows = await readChain(database, Number(start), limit);
  let [seq, previous] = [Number(start), GENESIS];
  if (seq > 0) {
    const [before] = await database.all<{ hash: string | null }>(sql`SELECT hash FROM changes WHERE seq = ${seq}`);
    previous = before?.hash ?? GENESIS;
  }
  for (const row of rows) {
    if (row.seq !== seq + 1) {
      return { broken: { seq: seq + 1, detail: `change ${seq + 1}: it must be in the log; the next is ${row.seq}` } };
    }
    const wrong = await wrongInChain(row, previous);
    if (wrong !== undefined) return broken(database, row, wrong);
    previous = row.hash ?? "";
    seq = row.seq;
  }
  return {
    changes: rows.length,
    ...(rows.length === 0 ? {} : { head: { seq, hash: previous } }),
    // A page that is full may not be the last.
    after: rows.length < limit ? undefined : [seq],
  };
}

async function wrongInChain(row: ChainRow, previous: string): Promise<string | undefined> {
  const hash = await hashOfChange(previous, row);
  if (row.hash !== hash) return `its hash must be ${hash}; it is ${row.hash ?? "missing"}`;
  if (row.before !== row.last_after) {
    return `its before must be what the entry's last change left, ${row.last_after ?? "nothing"}; it is ${row.before ?? "nothing"}`;
  }
  const revision = (row.last_revision ?? 0) + (row.after === null ? 0 : 1);
  return row.revision === revision ? undefined : `its revision must be ${revision}; it is ${row.revision}`;
}

/** The revision that each change made, and the entry where it was the last. */
export async function checkContents(
  database: Database,
  [start = 0]: readonly (string | number)[],
  most: number,
): Promise<Checked> {
  const limit = Math.min(most, CONTENTS_AT_ONCE);
  const rows = await readContents(database, Number(start), limit);
  for (const row of rows) {
    const wrong = (await wrongInRevision(row)) ?? (await wrongInEntity(row));
    if (wrong !== undefined) return broken(database, row, wrong);
  }
  const last = rows.at(-1);
  return { after: rows.length < limit || last === undefined ? undefined : [last.seq] };
}

async function wrongInRevision(row: Row): Promise<string | undefined> {
  if (row.after === null) return undefined;
  const what = `its revision ${row.revision}`;
  if (row.r_digest === null) return `${what} must be stored; it is not`;
  if (row.r_digest !== row.after) return `the digest of ${what} must be ${row.after}; it is ${row.r_digest}`;
  if (row.r_author !== row.author) return `the author of ${what} must be ${row.author}; it is ${row.r_author}`;
  if (row.r_at !== row.at) return `the time of ${what} must be ${row.at}; it is ${row.r_at}`;
  const digest = await contentDigest(row.kind, row.r_manifest, row.r_resolved);
  if (digest !== row.after) return `the content of ${what} must have the digest ${row.after}; it has ${digest}`;
  return row.has_code === 1 ? undefined : `the code that ${what} names must be stored; it is not`;
}

async function wrongInEntity(row: Row): Promise<string | undefined> {
  if (row.is_last !== 1) return undefined;
  if (row.after === null) {
    return row.e_digest === null ? undefined : `the entry must be gone since; it is there with digest ${row.e_digest}`;
  }
  if (row.e_digest === null) return `the entry must be in force since; it is not there`;
  const wanted = [
    ["digest", row.e_digest, row.after],
    ["revision", row.e_revision, row.revision],
    ["updated_by", row.e_updated_by, row.author],
    ["updated_at", row.e_updated_at, row.at],
    ["created_at", row.e_created_at, row.born_at],
  ] as const;
  for (const [field, actual, expected] of wanted) {
    if (actual !== expected) return `the ${field} of the entry in force must be ${expected}; it is ${actual}`;
  }
  const uses = await digestOfUses(JSON.parse(row.e_uses ?? "[]") as UsesRow[]);
  // Of a change from before there was a chain nobody knows.
  if (row.uses !== null && row.uses !== uses) return `what the entry in force uses must be as it was then; it is not`;
  if (row.e_manifest === row.r_manifest && row.e_resolved === row.r_resolved) return undefined;
  const digest = await contentDigest(row.kind, row.e_manifest, row.e_resolved);
  return digest === row.after
    ? undefined
    : `the content of the entry in force must have the digest ${row.after}; it has ${digest}`;
}

/** As Draft.stage() makes it. */
async function contentDigest(kind: string, manifest: string | null, resolved: string | null): Promise<string> {
  try {
    return await digestOf({ kind, manifest: JSON.parse(manifest ?? ""), resolved: JSON.parse(resolved ?? "") });
  } catch {
    return "none: it is not JSON";
  }
}

async function broken(
  database: Database,
  row: Pick<Link, "seq" | "kind" | "name" | "action" | "author">,
  wrong: string,
): Promise<Checked> {
  const names = await namesOf(database, [row]);
  const title = `change ${row.seq} (${row.action} ${row.kind} ${row.name} by ${names.get(row.author) ?? row.author})`;
  return { broken: { seq: row.seq, detail: `${title}: ${wrong}` } };
}

function readChain(database: Database, start: number, limit: number): Promise<ChainRow[]> {
  return database.all<ChainRow>(sql`
    SELECT c.*, p.revision AS last_revision, p.after AS last_after
    FROM changes c
    LEFT JOIN changes p ON p.seq = (SELECT x.seq FROM changes x
      WHERE x.kind = c.kind AND x.name = c.name AND x.seq < c.seq ORDER BY x.seq DESC LIMIT 1)
    WHERE c.seq > ${start} ORDER BY c.seq LIMIT ${limit}`);
}

function readContents(database: Database, start: number, limit: number): Promise<Row[]> {
  return database.all<Row>(sql`
    SELECT c.seq, c.kind, c.name, c.action, c.author, c.after, c.revision, c.uses, c.at,
      r.digest AS r_digest, r.manifest AS r_manifest, r.resolved AS r_resolved, r.author AS r_author, r.at AS r_at,
      n.seq IS NULL AS is_last,
      e.revision AS e_revision, e.digest AS e_digest, e.manifest AS e_manifest, e.resolved AS e_resolved,
      e.updated_by AS e_updated_by, e.updated_at AS e_updated_at, e.created_at AS e_created_at,
      CASE WHEN e.name IS NOT NULL THEN
        (SELECT b.at FROM changes b WHERE b.kind = c.kind AND b.name = c.name AND b.seq > coalesce(
          (SELECT d.seq FROM changes d WHERE d.kind = c.kind AND d.name = c.name AND d.after IS NULL
            ORDER BY d.seq DESC LIMIT 1), 0)
          ORDER BY b.seq LIMIT 1) END AS born_at,
      CASE WHEN e.name IS NOT NULL THEN (SELECT json_group_array(json_object(
        'target_kind', u.target_kind, 'target_name', u.target_name, 'written', json(iif(u.written = 1, 'true', 'false'))))
        FROM uses u WHERE u.kind = c.kind AND u.name = c.name) END AS e_uses,
      CASE WHEN c.kind <> 'module' OR NOT json_valid(r.manifest) THEN 1 ELSE
        EXISTS (SELECT 1 FROM module_code m WHERE m.sha256 = json_extract(r.manifest, '$.sha256')) END AS has_code
    FROM changes c
    LEFT JOIN changes n ON n.seq = (SELECT y.seq FROM changes y
      WHERE y.kind = c.kind AND y.name = c.name AND y.seq > c.seq ORDER BY y.seq LIMIT 1)
    LEFT JOIN revisions r ON r.kind = c.kind AND r.name = c.name AND r.revision = c.revision
    LEFT JOIN entities e ON n.seq IS NULL AND e.kind = c.kind AND e.name = c.name
    WHERE c.seq > ${start} ORDER BY c.seq LIMIT ${limit}`);
}
