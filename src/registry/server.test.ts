import { INLINE_ADAPTER } from "../model/environment.ts";
import { createClient, type Client } from "@libsql/client/web";
import { createClient as createHttpClient } from "@libsql/client/http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fixture, MASTER_KEY, MIGRATIONS, ADMIN, storeModule, type Fixture } from "./_fixture.node.ts";
import { installBuiltins } from "./builtins/install-builtins.ts";
import { migrateDatabase } from "./migrate.node.ts";
import { openFile } from "./database.node.ts";
import { openDatabase } from "./database.ts";
import { createRegistry } from "./registry.ts";
import { serveDatabase, type Server } from "./server.node.ts";

let base: Fixture;
let server: Server;
let client: Client;
let closeServed: () => void;

beforeEach(async () => {
  base = await fixture();
  const served = await openFile(base.file, { intMode: "bigint" });
  closeServed = () => served.client.close();
  server = await serveDatabase({ client: served.client, listen: { port: 0 }, secret: "s3cret", idleMs: 200 });
  client = createClient({ url: server.url, authToken: "s3cret" });
});
afterEach(async () => {
  client.close();
  await server.close();
  closeServed();
  await base.close();
});

describe("a registry over the socket", () => {
  test("is migrated like a file", async () => {
    await client.executeMultiple("DROP TABLE entities; DROP TABLE revisions; DROP TABLE changes; DROP TABLE uses;");
    await client.executeMultiple(
      "DROP TABLE module_code; DROP TABLE token_secrets; DROP TABLE token_use; DROP TABLE secret_values;",
    );
    await client.execute("DROP TABLE __drizzle_migrations");
    const database = openDatabase({ url: server.url, authToken: "s3cret" });
    expect(await migrateDatabase(database, MIGRATIONS)).toBeGreaterThan(0);
    expect(await migrateDatabase(database, MIGRATIONS)).toBe(0);
    const registry = createRegistry({ database, masterKey: MASTER_KEY, adapters: [INLINE_ADAPTER] });
    expect((await installBuiltins(registry)).length).toBeGreaterThan(50);
  });

  test("creates an operation and resolves it", async () => {
    const database = openDatabase({ url: server.url, authToken: "s3cret" });
    const registry = createRegistry({ database, masterKey: MASTER_KEY, adapters: [INLINE_ADAPTER] });
    const hash = await storeModule({ ...base, registry }, "echo");
    await registry.write(
      { action: "create", kind: "operation", manifest: { name: "echo", implemented_at: "echo:echo" } },
      ADMIN,
    );
    const { operation } = await registry.resolve("echo");
    expect(operation).toMatchObject({ name: "echo", revision: 1, implementation: { kind: "module", sha256: hash } });
    expect(operation.input.check({ a: 1 })).toMatchObject({ ok: true });
  });
});

describe.each([
  ["web", createClient],
  ["http", createHttpClient],
])("the official %s client", (_name, create) => {
  let sql: Client;
  beforeEach(async () => {
    sql = create({ url: server.url, authToken: "s3cret" });
    await sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value)");
  });
  afterEach(() => sql.close());

  test("gets every kind of value back as it was", async () => {
    const blob = crypto.getRandomValues(new Uint8Array(60_000));
    const values = [null, 1.5, "é \u{1F600}", blob.buffer, 9007199254740993n, -(2n ** 63n)];
    for (const [id, value] of values.entries())
      await sql.execute({ sql: "INSERT INTO t VALUES (?, ?)", args: [id, value] });
    const exact = create({ url: server.url, authToken: "s3cret", intMode: "bigint" });
    const { rows } = await exact.execute("SELECT value, typeof(value) AS type FROM t ORDER BY id");
    exact.close();
    expect(rows.map((row) => row["type"])).toEqual(["null", "real", "text", "blob", "integer", "integer"]);
    expect(rows.map((row) => row["value"])).toEqual(values);
  });

  test("is told that text with a NUL would be cut off, instead of losing it", async () => {
    const insert = sql.execute({ sql: "INSERT INTO t VALUES (1, ?)", args: ["a\u0000b"] });
    await expect(insert).rejects.toMatchObject({ code: "TEXT_WITH_NUL" });
  });

  test("sees SQLite's own error codes", async () => {
    await sql.execute("INSERT INTO t VALUES (1, 'a')");
    await expect(sql.execute("INSERT INTO t VALUES (1, 'b')")).rejects.toMatchObject({
      code: "SQLITE_CONSTRAINT_PRIMARYKEY",
    });
    await expect(sql.execute("SELEC 1")).rejects.toMatchObject({ code: "SQLITE_ERROR" });
    await expect(sql.execute("COMMIT")).rejects.toThrow(/no transaction is active/);
  });

  test("lands a batch whole or not at all", async () => {
    await expect(sql.batch(["INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (1, 'b')"])).rejects.toMatchObject({
      code: "SQLITE_CONSTRAINT_PRIMARYKEY",
    });
    expect((await sql.execute("SELECT count(*) AS n FROM t")).rows[0]?.["n"]).toBe(0);
    const results = await sql.batch([{ sql: "INSERT INTO t VALUES (?, ?)", args: [1, "a"] }, "SELECT value FROM t"]);
    expect(results[1]?.rows[0]?.["value"]).toBe("a");
  });

  test("holds an interactive transaction while others wait", async () => {
    const transaction = await sql.transaction("write");
    await transaction.execute("INSERT INTO t VALUES (1, 'a')");
    let landed = false;
    const other = sql.execute("INSERT INTO t VALUES (2, 'b')").then(() => (landed = true));
    await transaction.execute("INSERT INTO t VALUES (3, 'c')");
    expect(landed).toBe(false);
    await transaction.commit();
    await other;
    expect((await sql.execute("SELECT count(*) AS n FROM t")).rows[0]?.["n"]).toBe(3);
  });

  test("rolls back when asked", async () => {
    const transaction = await sql.transaction("write");
    await transaction.execute("INSERT INTO t VALUES (1, 'a')");
    await transaction.rollback();
    expect((await sql.execute("SELECT count(*) AS n FROM t")).rows[0]?.["n"]).toBe(0);
  });

  test("loses a stream that it leaves idle, and the transaction with it", async () => {
    const transaction = await sql.transaction("write");
    await transaction.execute("INSERT INTO t VALUES (1, 'a')");
    // Waits in the queue until the idle stream is closed.
    await sql.execute("INSERT INTO t VALUES (2, 'b')");
    await expect(transaction.execute("INSERT INTO t VALUES (3, 'c')")).rejects.toMatchObject({
      code: "STREAM_EXPIRED",
    });
    expect((await sql.execute("SELECT id FROM t")).rows.map((row) => row["id"])).toEqual([2]);
  });

  test("reads a large result", async () => {
    await sql.execute(
      "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, hex(randomblob(50)) FROM n",
    );
    const { rows } = await sql.execute("SELECT * FROM t");
    expect(rows).toHaveLength(20_000);
    expect(rows[19_999]?.["value"]).toHaveLength(100);
  });

  test("runs several statements at once", async () => {
    await sql.executeMultiple("INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES (2, 'b');");
    expect((await sql.execute("SELECT count(*) AS n FROM t")).rows[0]?.["n"]).toBe(2);
  });
});

const post = (path: string, body: unknown, secret = "s3cret") =>
  fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}` },
    body: JSON.stringify(body),
  });

const describing = async (sql: string) => {
  const response = await post("/v2/pipeline", { requests: [{ type: "describe", sql }, { type: "close" }] });
  return ((await response.json()) as { results: { response: { result: unknown } }[] }).results[0]?.response.result;
};

describe("serveDatabase()", () => {
  test.each(["", "Bearer wrong", "s3cret"])("refuses the authorization %j", async (authorization) => {
    const response = await fetch(`${server.url}/v2/pipeline`, {
      method: "POST",
      headers: { authorization },
      body: "{}",
    });
    expect(response.status).toBe(401);
  });

  test("refuses what is not a pipeline, and another baton than the newest", async () => {
    expect((await post("/v2/pipeline", {})).status).toBe(400);
    expect((await post("/v3-protobuf/pipeline", {})).status).toBe(404);
    const first = (await (await post("/v3/pipeline", { requests: [] })).json()) as { baton: string };
    const second = await post("/v3/pipeline", { baton: first.baton, requests: [{ type: "get_autocommit" }] });
    expect(await second.json()).toMatchObject({ results: [{ type: "ok", response: { is_autocommit: true } }] });
    const again = await post("/v3/pipeline", { baton: first.baton, requests: [] });
    expect([again.status, await again.json()]).toMatchObject([400, { code: "STREAM_EXPIRED" }]);
  });

  test("describes a statement without running it", async () => {
    expect(await describing("SELECT name, revision FROM entities WHERE kind = ?")).toMatchObject({
      params: [{ name: null }],
      cols: [{ name: "name" }, { name: "revision" }],
      is_readonly: true,
    });
    expect(await describing("DELETE FROM entities")).toMatchObject({ is_readonly: false, cols: [] });
    expect((await client.execute("SELECT count(*) AS n FROM entities")).rows[0]?.["n"]).toBe(1);
  });

  test("runs SQL text that was stored before", async () => {
    const response = await post("/v2/pipeline", {
      requests: [
        { type: "store_sql", sql_id: 1, sql: "SELECT 1 AS one" },
        { type: "execute", stmt: { sql_id: 1 } },
        { type: "close_sql", sql_id: 1 },
        { type: "execute", stmt: { sql_id: 1 } },
        { type: "close" },
      ],
    });
    const { results, baton } = (await response.json()) as { results: { type: string }[]; baton: unknown };
    expect(results.map(({ type }) => type)).toEqual(["ok", "ok", "ok", "error", "ok"]);
    expect(baton).toBeNull();
  });
});
