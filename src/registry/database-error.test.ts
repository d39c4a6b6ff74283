import { LibsqlError } from "@libsql/client";
import { expect, test } from "vitest";
import { ADMIN, fixture } from "./_fixture.node.ts";
import { fromDatabaseError, isClash } from "./database-error.ts";

test.each([
  ["SQLITE_READONLY_DBMOVED", "registry_read_only"],
  ["SQLITE_FULL", "registry_read_only"],
  ["SQLITE_CORRUPT_VTAB", "registry_corrupt"],
  ["SQLITE_NOTADB", "registry_corrupt"],
  ["SQLITE_BUSY", "registry_unavailable"],
  ["SQLITE_IOERR", "registry_unavailable"],
  ["SERVER_ERROR", "registry_unavailable"],
  ["SQLITE_ERROR", "internal"],
])("fromDatabaseError() takes %s, however wrapped, for %s", (code, expected) => {
  const wrapped = new Error("Failed query", { cause: new LibsqlError("reason", code) });
  expect(fromDatabaseError(wrapped)).toMatchObject({
    code: expected,
    message: expect.stringContaining("reason") as string,
  });
});

test("fromDatabaseError() takes a network failure for an unavailable registry", () => {
  const error = new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
  expect(fromDatabaseError(error)).toMatchObject({
    code: "registry_unavailable",
    message: expect.stringContaining("ECONNREFUSED") as string,
  });
});

test("a database that turns read-only refuses writes and goes on reading", async () => {
  const base = await fixture({ builtins: true });
  await base.client.execute("PRAGMA query_only = ON");
  const write = base.registry.write({ action: "create", kind: "type", manifest: { name: "t", schema: true } }, ADMIN);
  await expect(write).rejects.toMatchObject({ code: "registry_read_only" });
  expect((await base.registry.resolve("list_type")).stale).toBe(false);
  await base.close();
});

test("only a place in the change log that is taken is a clash", async () => {
  const base = await fixture();
  const change = "INSERT INTO changes (seq, kind, name, action, author, at) VALUES (1, 'type', 'x', 'edit', 'a', '')";
  const thrown = async (sql: string) => base.client.batch([sql]).catch((error: unknown) => error);
  expect(isClash(await thrown(change))).toBe(true);
  expect(isClash(await thrown("INSERT INTO entities SELECT * FROM entities"))).toBe(false);
  expect(isClash(await thrown("SELECT changes.seq FROM entities"))).toBe(false);
  await base.close();
});
