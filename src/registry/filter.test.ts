import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADMIN, fixture, storeModule, type Fixture } from "./_fixture.node.ts";

let base: Fixture;
beforeAll(async () => {
  base = await fixture();
  await storeModule(base, "echo");
  const rows = [
    { name: "alpha", timeout_ms: 100, group: "a" },
    { name: "beta", timeout_ms: 200, group: "a", active: false },
    { name: "gamma", timeout_ms: null, group: "b", description: "100% O'Brien" },
  ];
  for (const row of rows) await base.run("create_operation", { implemented_at: "echo:echo", ...row });
});
afterAll(() => base.close());

const names = async (filter: object) =>
  ((await base.run("list_operation", filter)) as unknown as { items: { name: string }[] }).items.map(
    ({ name }) => name,
  );

describe("list_operation", () => {
  test.each([
    [{}, ["alpha", "beta", "gamma"]],
    [{ name: "beta" }, ["beta"]],
    [{ name: { op: "$eq", value: "beta" } }, ["beta"]],
    [{ name: { op: "$ne", value: "beta" } }, ["alpha", "gamma"]],
    [{ name: { op: "$in", value: ["alpha", "gamma", "delta"] } }, ["alpha", "gamma"]],
    [{ name: { op: "$in", value: [] } }, []],
    [{ name: { op: "$like", value: "%a%m%" } }, ["gamma"]],
    [{ timeout_ms: { op: "$gt", value: 100 } }, ["beta"]],
    [{ timeout_ms: { op: "$gte", value: 100 } }, ["alpha", "beta"]],
    [{ timeout_ms: { op: "$lt", value: 200 } }, ["alpha"]],
    [{ timeout_ms: { op: "$lte", value: 200 } }, ["alpha", "beta"]],
    [{ timeout_ms: null }, ["gamma"]],
    [{ timeout_ms: { op: "$ne", value: null } }, ["alpha", "beta"]],
    [{ timeout_ms: { op: "$ne", value: 100 } }, ["beta", "gamma"]],
    [{ timeout_ms: { op: "$in", value: [null, 100] } }, ["alpha", "gamma"]],
    [{ active: false }, ["beta"]],
    [{ active: true, group: "a" }, ["alpha"]],
    [{ updated_by: ADMIN.id, revision: 1 }, ["alpha", "beta", "gamma"]],
    [{ created_at: { op: "$gt", value: "2027" } }, []],
    [{ description: "100% O'Brien" }, ["gamma"]],
  ])("answers %j with %j", async (filter, expected) => {
    expect(await names(filter)).toEqual(expected);
  });

  test.each([
    "' OR 1=1 --",
    "x'); DROP TABLE entities; --",
    '" OR ""="',
    "alpha' UNION SELECT * FROM token_secrets --",
  ])("takes %j for a value, never for SQL", async (value) => {
    for (const op of ["$eq", "$like", "$gt", "$lt"] as const) await names({ name: { op, value } });
    expect(await names({ name: value })).toEqual([]);
    expect(await names({ description: { op: "$in", value: [value] } })).toEqual([]);
    await expect(base.registry.resolve(value)).rejects.toMatchObject({ code: "operation_not_found" });
    await expect(base.run("get_operation", { name: value })).rejects.toMatchObject({ code: "input_invalid" });
    expect(await names({})).toHaveLength(3);
  });

  test.each([
    { "name') OR 1=1 --": "x" },
    { nonsense: 1 },
    { manifest: "x" },
    { __proto__x: 1 },
    { name: { op: "$regex", value: "x" } },
    { name: { op: "$eq", value: { a: 1 } } },
    { name: { op: "$eq", value: "x", more: 1 } },
    { name: { op: "$in", value: "x" } },
    { name: "a\0b" },
    { name: "x".repeat(1001) },
    { limit: 0 },
    { limit: 1001 },
  ])("refuses %j", async (filter) => {
    await expect(names(filter)).rejects.toMatchObject({ code: "input_invalid" });
  });

  test("pages with a cursor", async () => {
    const first = (await base.run("list_operation", { limit: 2 })) as unknown as {
      items: { name: string }[];
      next_cursor: string;
    };
    expect(first.items.map(({ name }) => name)).toEqual(["alpha", "beta"]);
    const second = await base.run("list_operation", { limit: 2, cursor: first.next_cursor });
    expect(second).toMatchObject({ items: [{ name: "gamma" }], next_cursor: null });
  });
});

const plan = async (sql: string) =>
  (await base.client.execute(`EXPLAIN QUERY PLAN ${sql}`)).rows.map((row) => row["detail"] as string).join("\n");

/** The statement that the registry really sends, with its arguments. */
async function sent(work: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = [];
  const execute = base.client.execute.bind(base.client);
  base.client.execute = (async (statement: { sql: string; args: (string | number)[] }) => {
    let sql = statement.sql;
    for (const value of statement.args)
      sql = sql.replace("?", typeof value === "number" ? String(value) : `'${value}'`);
    statements.push(sql);
    return execute(statement);
  }) as typeof execute;
  try {
    await work();
  } finally {
    base.client.execute = execute;
  }
  return statements;
}

describe("with many rows, an index serves", () => {
  test.each([
    ["resolving an operation", () => base.another().resolve("alpha")],
    ["resolving a revision", () => base.another().resolve("alpha", { revision: 1 })],
    [
      "missing an operation",
      () =>
        base
          .another()
          .resolve("alhpa")
          .catch(() => undefined),
    ],
    [
      "authenticating",
      () =>
        base
          .another()
          .authenticate(`sy_${"0".repeat(16)}_${"0".repeat(32)}`)
          .catch(() => undefined),
    ],
    ["getting an entry", () => base.run("get_operation", { name: "alpha" })],
    ["paging", () => base.run("list_operation", { cursor: "alpha" })],
    ["reading revisions", () => base.run("list_operation_revision", { name: "alpha" })],
    ["reading the change log", () => base.run("list_change", { cursor: "9" })],
    ["deleting", () => base.run("delete_type", { name: "none" }).catch(() => undefined)],
  ])("%s", async (_what, work) => {
    const statements = await sent(work);
    expect(statements.length).toBeGreaterThan(0);
    for (const statement of statements) {
      const detail = await plan(statement);
      expect(detail, statement).toMatch(/USING (INTEGER PRIMARY KEY|(COVERING )?INDEX)|^SEARCH changes/m);
      expect(detail, statement).not.toMatch(/SCAN (e|r|t|v|entities|revisions|token_secrets|secret_values)\b/);
    }
  });
});
