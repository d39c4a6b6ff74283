/** The chain, its making and its checking, on a real database that is tampered with through SQL. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ADMIN, fixture, MIGRATIONS, storeModule, type Fixture } from "../_fixture.node.ts";
import { GENESIS, hashOfChange, type Link } from "./chain.ts";
import { extendChain } from "./extend-chain.ts";
import { verifyAll, type Verdict } from "./verify.ts";

let base: Fixture;
beforeEach(async () => {
  base = await fixture();
});
afterEach(() => base.close());

/** 1 environment inline, 2 module echo, 3 operation demo, 4 type t, 5 edit demo, 6 token ci, 7 secret key, 8 type gone, 9 delete it, 10 type t again. */
async function history(): Promise<void> {
  await storeModule(base, "echo");
  await base.run("put_operation", { name: "demo", implemented_at: "echo:echo" });
  await base.run("create_type", { name: "t", schema: true });
  await base.run("edit_operation", { name: "demo", patch: { description: "two" } });
  await base.run("create_token", { name: "ci", scopes: ["ops:invoke"] });
  await base.run("create_secret", { name: "key", value: "hush" });
  await base.run("create_type", { name: "gone", schema: true });
  await base.run("delete_type", { name: "gone" });
  await base.run("edit_type", { name: "t", patch: { description: "more" } });
}

async function verified(limit = 3): Promise<Verdict & { total: number }> {
  const all: Verdict[] = [];
  await verifyAll(base.database, limit, (verdict) => all.push(verdict));
  const heads = all.flatMap(({ head }) => head ?? []);
  return { ...all.at(-1)!, head: heads.at(-1) ?? null, total: all.reduce((sum, { changes }) => sum + changes, 0) };
}

const sql = (text: string) => base.client.executeMultiple(text);
const rows = async <T>(text: string) => (await base.client.execute(text)).rows as unknown as T[];

describe("the chain", () => {
  test("is whole after every sort of write, whatever the size of a page", async () => {
    await history();
    await base.run("rollback_operation", { name: "demo", to: 1 });
    await base.run("duplicate_operation", { name: "demo", patch: { name: "copy" } });
    await base.run("create_type", { name: "gone", schema: false });
    await base.run("put_secret", { name: "key", value: "other", groups: ["a"] });
    await base.run("edit_secret", { name: "key", patch: { groups: ["b"] } });
    await base.run("edit_token", { name: "ci", patch: { active: false } });
    await base.run("rollback_token", { name: "ci", to: 1 });
    await base.run("delete_token", { name: "ci" });
    const [{ n } = { n: 0 }] = await rows<{ n: number }>("SELECT count(*) AS n FROM changes");
    for (const limit of [1, 2, n, 1000]) {
      expect(await verified(limit)).toMatchObject({ broken: null, total: n, head: { seq: n } });
    }
  });

  test("is what its description says", async () => {
    await history();
    let previous = GENESIS;
    for (const { hash, ...link } of await rows<Link & { hash: string }>("SELECT * FROM changes ORDER BY seq")) {
      expect(hash).toBe(await hashOfChange(previous, link));
      previous = hash;
    }
    // Once and for all: whoever checks a head that was noted years ago needs this very form.
    const link: Link = {
      seq: 1,
      kind: "type",
      name: "t",
      action: "create",
      author: "a",
      caller: null,
      before: null,
      after: "d",
      revision: 1,
      uses: null,
      at: "2026-11-21T12:00:00.000Z",
    };
    expect(await hashOfChange(GENESIS, link)).toBe("9706e54facc57baea4733699e3676c6f0085d5aea76b4d27a6e72b3f6013f229");
  });

  test("holds many changes of one write", async () => {
    await base.run("create_type", { name: "t", schema: true });
    for (let index = 0; index < 5; index++) {
      await base.run("create_type", { name: `u${index}`, attributes: { m: { data_type: "t" } } });
    }
    await base.run("edit_type", { name: "t", patch: { schema: { type: "string" } } });
    expect(await verified()).toMatchObject({ broken: null, total: 13 });
  });

  test("goes on from what another version wrote without it", async () => {
    await history();
    const before = await rows("SELECT * FROM changes ORDER BY seq");
    await sql("UPDATE changes SET hash = NULL, revision = NULL WHERE seq > 6");
    expect((await verified()).broken?.detail).toMatch(/^change 7 \(create secret key by admin_id\): its hash must be/);
    await base.run("create_type", { name: "next", schema: true });
    expect((await rows("SELECT * FROM changes ORDER BY seq")).slice(0, -1)).toEqual(before);
    expect(await verified()).toMatchObject({ broken: null, total: 11 });
  });

  test("is computed for all of a log from before it, many pages long, by two at once", async () => {
    const { broken: none } = await verified();
    expect(none).toBeNull();
    await sql(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1300)
      INSERT INTO changes (seq, kind, name, action, author, after, before, at)
      SELECT i, 'type', 'old' || (i % 7), 'edit', 'a', 'd' || i, CASE WHEN i > 8 THEN 'd' || (i - 7) END, 'then' FROM n;
      UPDATE changes SET hash = NULL, revision = NULL`);
    await Promise.all([extendChain(base.database), extendChain(base.database)]);
    let previous = GENESIS;
    for (const { hash, ...link } of await rows<Link & { hash: string }>("SELECT * FROM changes ORDER BY seq")) {
      expect(hash).toBe(await hashOfChange(previous, link));
      if (link.seq > 1) expect(link.revision).toBe(Math.floor((link.seq - 2) / 7) + 1);
      previous = hash;
    }
  });

  test("names the execution that asked for a change, and not the token that did so itself", async () => {
    const { registry } = base;
    const write = { action: "create", kind: "type", manifest: { name: "t", schema: true } } as const;
    await registry.write(write, ADMIN, { type: "execution", id: "ex_1" });
    const other = { ...write, manifest: { ...write.manifest, name: "u" } };
    await registry.write(other, ADMIN, { type: "token", id: ADMIN.id });
    const third = { ...write, manifest: { ...write.manifest, name: "v" } };
    await registry.write(third, { ...ADMIN, id: "webhook:w", name: "w" }, { type: "webhook", id: "w" });
    const { items } = (await base.run("list_change", {})) as unknown as { items: { caller: string | null }[] };
    expect(items.map(({ caller }) => caller)).toEqual([null, null, "execution:ex_1", null]);
  });
});

describe("verify finds and names", () => {
  const table: [what: string, statement: string, detail: RegExp][] = [
    // The log.
    [
      "a change that was moved",
      "UPDATE changes SET seq = 99 WHERE seq = 5",
      /^change 5: it must be in the log; the next is 6/,
    ],
    [
      "a change that was deleted",
      "DELETE FROM changes WHERE seq = 5",
      /^change 5: it must be in the log; the next is 6/,
    ],
    [
      "the first change deleted",
      "DELETE FROM changes WHERE seq = 1",
      /^change 1: it must be in the log; the next is 2/,
    ],
    [
      "the last change deleted",
      "DELETE FROM changes WHERE seq = 10",
      /^change 4 \(create type t by admin_id\): the digest of the entry in force/,
    ],
    [
      "a change that was put in",
      `INSERT INTO changes SELECT 11, kind, name, action, author, before, after, at, revision, caller, uses, hash FROM changes WHERE seq = 10`,
      /^change 11 \(edit type t by admin_id\): its hash must be [0-9a-f]{64}; it is [0-9a-f]{64}/,
    ],
    [
      "two that were swapped",
      `UPDATE changes SET seq = -seq WHERE seq IN (4, 5); UPDATE changes SET seq = 9 + seq WHERE seq < 0`,
      /^change 4 \(edit operation demo by admin_id\): its hash/,
    ],
    ...["kind", "name", "action", "author", "caller", "uses", "before", "after", "at"].map(
      (column): [string, string, RegExp] => [
        `another ${column} of a change`,
        `UPDATE changes SET ${column} = 'forged' WHERE seq = 5`,
        /^change 5 \(.*\): its hash must be/,
      ],
    ),
    ["another revision of a change", "UPDATE changes SET revision = 1 WHERE seq = 5", /^change 5 .*: its hash must be/],
    [
      "another hash of a change",
      "UPDATE changes SET hash = 'x' WHERE seq = 5",
      /^change 5 .*: its hash must be [0-9a-f]{64}; it is x/,
    ],
    [
      "no hash of a change",
      "UPDATE changes SET hash = NULL WHERE seq = 5",
      /^change 5 .*: its hash must be .* it is missing/,
    ],
    // Revisions.
    [
      "a revision that was deleted",
      "DELETE FROM revisions WHERE kind = 'operation' AND name = 'demo' AND revision = 1",
      /^change 3 \(create operation demo by admin_id\): its revision 1 must be stored; it is not/,
    ],
    [
      "a revision that was put in",
      "INSERT INTO revisions SELECT kind, name, 3, digest, manifest, resolved, author, at FROM revisions WHERE name = 'demo' AND revision = 2",
      /^revision 3 of the operation "demo": a change must have made it; none has/,
    ],
    [
      "a revision 0",
      "INSERT INTO revisions SELECT kind, name, 0, digest, manifest, resolved, author, at FROM revisions WHERE name = 'demo' AND revision = 2",
      /^revision 0 of the operation "demo"/,
    ],
    [
      "a revision of what never was",
      "INSERT INTO revisions SELECT kind, 'ghost', 1, digest, manifest, resolved, author, at FROM revisions WHERE name = 'demo' AND revision = 2",
      /^revision 1 of the operation "ghost": a change must have made it/,
    ],
    [
      "a revision of a name moved to another",
      "UPDATE revisions SET name = 'other' WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: its revision 1 must be stored/,
    ],
    [
      "a revision of a kind moved to another",
      "UPDATE revisions SET kind = 'module' WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: its revision 1 must be stored/,
    ],
    [
      "renumbered revisions",
      "UPDATE revisions SET revision = 9 WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: its revision 1 must be stored/,
    ],
    [
      "two revisions swapped",
      "UPDATE revisions SET revision = -revision WHERE name = 'demo'; UPDATE revisions SET revision = 3 + revision WHERE name = 'demo'",
      /^change 3 .*: the digest of its revision 1 must be/,
    ],
    [
      "another digest of a revision",
      "UPDATE revisions SET digest = 'x' WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: the digest of its revision 1 must be .* it is x/,
    ],
    [
      "another manifest of a revision",
      "UPDATE revisions SET manifest = json_set(manifest, '$.description', 'forged') WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: the content of its revision 1 must have the digest/,
    ],
    [
      "a manifest that is no JSON",
      "UPDATE revisions SET manifest = '{' WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: the content .* not JSON/,
    ],
    [
      "a module's manifest that is no JSON",
      "UPDATE revisions SET manifest = '{' WHERE name = 'echo'",
      /^change 2 .*: the content .* not JSON/,
    ],
    [
      "another resolution of a revision",
      "UPDATE revisions SET resolved = json_set(resolved, '$.implementation.sha256', 'forged') WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: the content of its revision 1/,
    ],
    [
      "another author of a revision",
      "UPDATE revisions SET author = 'x' WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: the author of its revision 1/,
    ],
    [
      "another time of a revision",
      "UPDATE revisions SET at = 'x' WHERE name = 'demo' AND revision = 1",
      /^change 3 .*: the time of its revision 1/,
    ],
    // What is in force.
    [
      "an entry that was deleted",
      "DELETE FROM entities WHERE name = 'demo'",
      /^change 5 .*: the entry must be in force since/,
    ],
    [
      "an entry that was put in",
      "INSERT INTO entities SELECT kind, 'ghost', revision, digest, manifest, resolved, created_at, updated_at, updated_by FROM entities WHERE name = 'demo'",
      /^operation "ghost": a change must have made it; none has/,
    ],
    [
      "an entry brought back that was deleted",
      "INSERT INTO entities SELECT kind, 'gone', revision, digest, manifest, resolved, created_at, updated_at, updated_by FROM entities WHERE name = 't'",
      /^change 9 \(delete type gone by admin_id\): the entry must be gone since/,
    ],
    [
      "an entry of another kind",
      "UPDATE entities SET kind = 'module' WHERE name = 'demo'",
      /^change 5 .*: the entry must be in force/,
    ],
    [
      "an entry of another name",
      "UPDATE entities SET name = 'other' WHERE name = 'demo'",
      /^change 5 .*: the entry must be in force/,
    ],
    [
      "an old revision in force again",
      "UPDATE entities SET (revision, digest, manifest, resolved) = (SELECT revision, digest, manifest, resolved FROM revisions r WHERE r.name = 'demo' AND r.revision = 1) WHERE name = 'demo'",
      /^change 5 .*: the digest of the entry in force must be/,
    ],
    ...["revision", "digest", "created_at", "updated_at", "updated_by"].map((column): [string, string, RegExp] => [
      `another ${column} of an entry`,
      `UPDATE entities SET ${column} = '77' WHERE name = 'demo'`,
      new RegExp(`^change 5 .*: the ${column} of the entry in force must be .*; it is 77`),
    ]),
    [
      "another manifest of an entry",
      "UPDATE entities SET manifest = json_set(manifest, '$.group', 'forged') WHERE name = 'demo'",
      /^change 5 .*: the content of the entry in force/,
    ],
    [
      "more scopes of a token",
      `UPDATE entities SET manifest = json_set(manifest, '$.scopes', json('["admin"]')) WHERE name = 'ci'`,
      /^change 6 \(create token ci by admin_id\): the content of the entry in force/,
    ],
    [
      "another resolution of an entry",
      "UPDATE entities SET resolved = '{}' WHERE name = 'demo'",
      /^change 5 .*: the content of the entry/,
    ],
    // Who uses what. The environment inline and the module's types are used by demo.
    ...["kind", "name"].map((column): [string, string, RegExp] => [
      `another ${column} of a use`,
      `UPDATE uses SET ${column} = 'forged'`,
      /^change 5 .*: what the entry in force uses must be as it was then/,
    ]),
    ...["target_kind", "target_name", "written"].map((column): [string, string, RegExp] => [
      `another ${column} of a use`,
      `UPDATE uses SET ${column} = 7 WHERE rowid = (SELECT min(rowid) FROM uses)`,
      /^change 5 .*: what the entry in force uses must be as it was then/,
    ]),
    ["a use deleted", "DELETE FROM uses", /^change 5 .*: what the entry in force uses/],
    [
      "a use put in",
      "INSERT INTO uses VALUES ('type', 't', 'type', 'x', 1)",
      /^change 10 .*: what the entry in force uses/,
    ],
    [
      "a use of what is not there",
      "INSERT INTO uses VALUES ('type', 'gone', 'type', 't', 1)",
      /^what type "gone" uses: it must be in force; it is not there/,
    ],
    // Code.
    ["other code", "UPDATE module_code SET code = code || ' '", /^code [0-9a-f]{64}: that must be its SHA-256; it is/],
    [
      "another size of code",
      "UPDATE module_code SET size_bytes = 1",
      /^code [0-9a-f]{64}: its size_bytes must be 71; it is 1/,
    ],
    [
      "code that was deleted",
      "DELETE FROM module_code",
      /^change 2 \(create module echo by admin_id\): the code that its revision 1 names/,
    ],
    [
      "code under another hash",
      "UPDATE module_code SET sha256 = 'f' || substr(sha256, 2)",
      /^change 2 .*: the code that its revision 1 names/,
    ],
    // Beside the entries.
    [
      "another secret of a token",
      "UPDATE token_secrets SET secret_sha256 = 'x'",
      /^the secret of the token "ci": it must be the one/,
    ],
    [
      "a second secret of a token",
      "INSERT INTO token_secrets SELECT 'more', name, secret_sha256 FROM token_secrets",
      /^the secret of token id more: it must be that of the token "ci"/,
    ],
    [
      "a secret for another token",
      "UPDATE token_secrets SET name = 'other'",
      /^the secret of token id [0-9a-z]{16}: it must be that of the token "other", whose id is none/,
    ],
    ["another id of a token", "UPDATE token_secrets SET id = 'x'", /^the secret of token id x/],
    [
      "a token without its secret",
      "DELETE FROM token_secrets",
      /^the token "ci": what belongs to it must be stored beside it/,
    ],
    [
      "another sealed value",
      "UPDATE secret_values SET sealed = 'x'",
      /^the value of the secret "key": it must be the one/,
    ],
    [
      "another version of a value",
      "UPDATE secret_values SET version = 'x'",
      /^the value of the secret "key": its version must be/,
    ],
    [
      "a value of another name",
      "UPDATE secret_values SET name = 'x'",
      /^the value of the secret "x": its version must be none/,
    ],
    ["a secret without its value", "DELETE FROM secret_values", /^the secret "key": what belongs to it/],
  ];

  test.each(table)("%s", async (_what, statement, detail) => {
    await history();
    expect((await verified()).broken).toBeNull();
    await sql(statement);
    for (const limit of [1, 4, 1000]) {
      const { broken } = await verified(limit);
      expect(broken?.detail).toMatch(detail);
      const seq = /^change (\d+)/.exec(broken?.detail ?? "")?.[1];
      expect(broken?.seq).toBe(seq === undefined ? null : Number(seq));
    }
  });

  test("nothing where a column says only when it was used", async () => {
    await history();
    await sql("INSERT INTO token_use SELECT id, 'x' FROM token_secrets; UPDATE module_code SET at = 'x'");
    expect((await verified()).broken).toBeNull();
  });

  test("no chain that was written anew, nor one cut short with its entries: only its head tells", async () => {
    await history();
    const { head } = await verified();
    await sql(
      "UPDATE changes SET author = 'nobody', hash = NULL WHERE seq >= 5; UPDATE revisions SET author = 'nobody' WHERE kind || name || revision IN (SELECT kind || name || revision FROM changes WHERE author = 'nobody'); UPDATE entities SET updated_by = 'nobody' WHERE kind || name IN (SELECT kind || name FROM changes WHERE author = 'nobody')",
    );
    await extendChain(base.database);
    const forged = await verified();
    expect(forged).toMatchObject({ broken: null, head: { seq: head?.seq } });
    expect(forged.head?.hash).not.toBe(head?.hash);
  });
});

test.each([
  ["what is no cursor", "x"],
  ["a cursor of another listing", "12"],
  ["a stage that there is not", '["more"]'],
  ["a cursor that holds more than words", '["chain",{}]'],
])("verify refuses %s", async (_what, cursor) => {
  await expect(base.run("verify_audit", { cursor })).rejects.toMatchObject({ code: "input_invalid" });
});

test("a registry from before the chain gets it when it is migrated, and is held to it from then on", async () => {
  await history();
  const old = readFileSync(path.join(MIGRATIONS, "0000_registry.sql"), "utf8");
  expect(old).not.toContain("`hash`");
  await sql(`ALTER TABLE changes DROP COLUMN hash; ALTER TABLE changes DROP COLUMN revision; ALTER TABLE changes DROP COLUMN caller; ALTER TABLE changes DROP COLUMN uses;
    DELETE FROM __drizzle_migrations WHERE created_at = (SELECT max(created_at) FROM __drizzle_migrations)`);
  const { migrateDatabase } = await import("../migrate.node.ts");
  expect(await migrateDatabase(base.database, MIGRATIONS)).toBe(1);
  expect(await verified()).toMatchObject({ broken: null, total: 10 });
  await sql("UPDATE changes SET author = 'forged' WHERE seq = 2");
  expect((await verified()).broken?.detail).toMatch(/^change 2 \(create module echo by forged\): its hash must be/);
});
