/** What stands in the tables and no change has made; and the tables beside: code, secrets of tokens, sealed values. */
import { sql } from "drizzle-orm";
import { sha256, utf8Length } from "../../core/hash.ts";
import type { Database } from "../database.ts";
import { sealOfSecret, sealOfToken } from "./side-rows.ts";
import type { Check, Checked } from "./verify.ts";

/** One page of checks of code holds about this much of it. Bytes. */
const CODE_PAGE_BYTES = 16 * 1024 * 1024;

/** The changes of an entry have made its revisions 1 to the last, each one; what is beyond was put there by hand. */
export const checkRevisions: Check = async (database, after, limit) => {
  const [kind = "", name = "", revision = -1] = after;
  const rows = await database.all<{ kind: string; name: string; revision: number; last: number | null }>(sql`
    SELECT r.kind, r.name, r.revision, (SELECT c.revision FROM changes c WHERE c.kind = r.kind AND c.name = r.name
      ORDER BY c.seq DESC LIMIT 1) AS last
    FROM revisions r WHERE (r.kind, r.name, r.revision) > (${kind}, ${name}, ${revision})
    ORDER BY r.kind, r.name, r.revision LIMIT ${limit}`);
  const found = rows.find((row) => row.last === null || row.revision < 1 || row.revision > row.last);
  if (found !== undefined) {
    return wrong(
      `revision ${found.revision} of the ${found.kind} "${found.name}": a change must have made it; none has`,
    );
  }
  const last = rows.at(-1);
  return { after: rows.length < limit || last === undefined ? undefined : [last.kind, last.name, last.revision] };
};

export const checkEntities: Check = async (database, after, limit) => {
  const [kind = "", name = ""] = after;
  const rows = await database.all<{ kind: string; name: string; made: number }>(sql`
    SELECT e.kind, e.name, EXISTS (SELECT 1 FROM changes c WHERE c.kind = e.kind AND c.name = e.name) AS made
    FROM entities e WHERE (e.kind, e.name) > (${kind}, ${name}) ORDER BY e.kind, e.name LIMIT ${limit}`);
  const found = rows.find((row) => row.made !== 1);
  if (found !== undefined) return wrong(`${found.kind} "${found.name}": a change must have made it; none has`);
  const last = rows.at(-1);
  return { after: rows.length < limit || last === undefined ? undefined : [last.kind, last.name] };
};

/** Of an entry that is there, the entry's last change has been held against them. */
export const checkUses: Check = async (database, after, limit) => {
  const [kind = "", name = ""] = after;
  const rows = await database.all<{ kind: string; name: string; there: number }>(sql`
    SELECT u.kind, u.name, EXISTS (SELECT 1 FROM entities e WHERE e.kind = u.kind AND e.name = u.name) AS there
    FROM uses u WHERE (u.kind, u.name) > (${kind}, ${name}) GROUP BY u.kind, u.name ORDER BY u.kind, u.name LIMIT ${limit}`);
  const found = rows.find((row) => row.there !== 1);
  if (found !== undefined)
    return wrong(`what ${found.kind} "${found.name}" uses: it must be in force; it is not there`);
  const last = rows.at(-1);
  return { after: rows.length < limit || last === undefined ? undefined : [last.kind, last.name] };
};

export const checkCode: Check = async (database, [start = ""], limit) => {
  const rows = await database.all<{ sha256: string; size: number }>(sql`
    SELECT sha256, size_bytes AS size FROM module_code WHERE sha256 > ${start} ORDER BY sha256 LIMIT ${limit}`);
  let read = 0;
  for (const row of rows) {
    const [stored] = await database.all<{ code: string }>(
      sql`SELECT code FROM module_code WHERE sha256 = ${row.sha256}`,
    );
    const code = stored?.code ?? "";
    const [hash, size] = [await sha256(code), utf8Length(code)];
    if (hash !== row.sha256) return wrong(`code ${row.sha256}: that must be its SHA-256; it is ${hash}`);
    if (size !== row.size) return wrong(`code ${row.sha256}: its size_bytes must be ${size}; it is ${row.size}`);
    read += size;
    if (read > CODE_PAGE_BYTES) return { after: [row.sha256] };
  }
  const last = rows.at(-1);
  return { after: rows.length < limit || last === undefined ? undefined : [last.sha256] };
};

/** Rows made by a version before this one hold no seal; of them the id and the name are checked. */
export const checkTokens: Check = async (database, [start = ""], limit) => {
  type Row = { id: string; name: string; secret: string; entity: string | null; seal: string | null };
  const rows = await database.all<Row>(sql`
    SELECT t.id, t.name, t.secret_sha256 AS secret, json_extract(e.resolved, '$.id') AS entity,
      json_extract(e.resolved, '$.secret') AS seal
    FROM token_secrets t LEFT JOIN entities e ON e.kind = 'token' AND e.name = t.name
    WHERE t.id > ${start} ORDER BY t.id LIMIT ${limit}`);
  for (const { id, name, secret, entity, seal } of rows) {
    if (entity !== id) {
      return wrong(
        `the secret of token id ${id}: it must be that of the token "${name}", whose id is ${entity ?? "none"}`,
      );
    }
    if (seal !== null && seal !== (await sealOfToken(secret))) {
      return wrong(
        `the secret of the token "${name}": it must be the one that its revision was made with; it is another`,
      );
    }
  }
  const last = rows.at(-1);
  if (rows.length === limit && last !== undefined) return { after: [last.id] };
  return missing(
    database,
    sql`SELECT e.name FROM entities e WHERE e.kind = 'token' AND NOT EXISTS
      (SELECT 1 FROM token_secrets t WHERE t.id = json_extract(e.resolved, '$.id')) LIMIT 1`,
    "token",
  );
};

export const checkSecrets: Check = async (database, [start = ""], limit) => {
  type Row = { name: string; version: string; sealed: string; entity: string | null; seal: string | null };
  const rows = await database.all<Row>(sql`
    SELECT s.name, s.version, s.sealed, json_extract(e.resolved, '$.version') AS entity,
      json_extract(e.resolved, '$.sealed') AS seal
    FROM secret_values s LEFT JOIN entities e ON e.kind = 'secret' AND e.name = s.name
    WHERE s.name > ${start} ORDER BY s.name LIMIT ${limit}`);
  for (const { name, version, sealed, entity, seal } of rows) {
    if (entity !== version) {
      return wrong(`the value of the secret "${name}": its version must be ${entity ?? "none"}; it is ${version}`);
    }
    if (seal !== null && seal !== (await sealOfSecret(sealed))) {
      return wrong(
        `the value of the secret "${name}": it must be the one that its revision was made with; it is another`,
      );
    }
  }
  const last = rows.at(-1);
  if (rows.length === limit && last !== undefined) return { after: [last.name] };
  return missing(
    database,
    sql`SELECT e.name FROM entities e WHERE e.kind = 'secret' AND NOT EXISTS
      (SELECT 1 FROM secret_values s WHERE s.name = e.name) LIMIT 1`,
    "secret",
  );
};

async function missing(database: Database, query: ReturnType<typeof sql>, kind: "token" | "secret"): Promise<Checked> {
  const [row] = await database.all<{ name: string }>(query);
  if (row === undefined) return {};
  return wrong(`the ${kind} "${row.name}": what belongs to it must be stored beside it; it is not`);
}

function wrong(detail: string): Checked {
  return { broken: { seq: null, detail } };
}
