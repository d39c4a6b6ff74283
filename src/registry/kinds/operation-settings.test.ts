import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sql } from "drizzle-orm";
import { ADMIN, fixture, storeModule, type Fixture } from "../_fixture.node.ts";
import { installBuiltins } from "../builtins/install-builtins.ts";
import { runBuiltin } from "../builtins/run-builtin.ts";
import type { Json } from "../schema.ts";

let base: Fixture;
beforeEach(async () => {
  base = await fixture();
  await storeModule(base, "echo");
});
afterEach(() => base.close());

const put = (name: string, more: Json = {}) =>
  base.run("put_operation", { name, implemented_at: "echo:echo", ...more });
const edit = (patch: Json) => base.run("edit_operation", { name: "demo", patch });
const CUSTOMER = { type: "object", properties: { customer: { type: "string" } }, additionalProperties: false };

const REFUSED: [string, Json, code: string][] = [
  ["/concurrency", { concurrency: { limit: 2 } }, "setting_unsupported"],
  ["/concurrency", { is_async: false, concurrency: { limit: 2, key: "/a" } }, "setting_unsupported"],
  ["/record", { is_async: true, record: "errors" }, "setting_unsupported"],
  ["/record", { is_async: true, record: "none" }, "setting_unsupported"],
  ["/retry/initial_ms", { retry: { initial_ms: 2, max_ms: 1 } }, "definition_invalid"],
  ["/retry/initial_ms", { is_async: true, retry: { max_ms: 199 } }, "definition_invalid"],
  ["/concurrency/key", { is_async: true, batch: true, concurrency: { limit: 1, key: "/a" } }, "setting_unsupported"],
  [
    "/concurrency/key",
    { is_async: true, concurrency: { limit: 1, key: "/costumer" }, input_type: CUSTOMER },
    "definition_invalid",
  ],
  ["/concurrency/key", { is_async: true, concurrency: { limit: 1, key: "customer" } }, "definition_invalid"],
  ["/retry/max_attempts", { retry: { max_attempts: 0 } }, "definition_invalid"],
  ["/annotations/destructive", { annotations: { read_only: true, destructive: false } }, "setting_unsupported"],
  ["/annotations/idempotent", { annotations: { read_only: true, idempotent: true } }, "setting_unsupported"],
  ["/annotations/title", { annotations: { title: "" } }, "definition_invalid"],
  ["/batch", { implemented_at: "builtin:create_type", batch: true }, "setting_unsupported"],
];

describe("settings that do not go together", () => {
  test.each(REFUSED)("%s of %j is refused by put, edit and duplicate alike, and nothing is stored", async (...row) => {
    const [pointer, settings, code] = row;
    await put("demo");
    const before = await base.registry.revision();
    const refused = { code, errors: [expect.objectContaining({ pointer })] };
    await expect(put("other", settings)).rejects.toMatchObject(refused);
    await expect(edit(settings)).rejects.toMatchObject(refused);
    const copy = base.run("duplicate_operation", { name: "demo", patch: { name: "other", ...settings } });
    await expect(copy).rejects.toMatchObject(refused);
    expect(await base.registry.revision()).toBe(before);
  });

  test.each<[string, Json]>([
    ["a synchronous operation that is retried when it is called to be answered later", { retry: { max_attempts: 1 } }],
    ["waits that do not grow", { is_async: true, retry: { initial_ms: 5, max_ms: 5 } }],
    ["a queue of no length", { is_async: true, concurrency: { limit: 1, max_queued: 0 } }],
    [
      "a key that the input can have",
      { is_async: true, concurrency: { limit: 1, key: "/customer" }, input_type: CUSTOMER },
    ],
    ["a limit for a batch as a whole", { is_async: true, batch: true, concurrency: { limit: 1 } }],
    ["hints that say little", { annotations: { title: "Demo", open_world: true } }],
    ["hints of what changes things", { annotations: { read_only: false, destructive: true, idempotent: false } }],
    ["a synchronous batch", { batch: true, record: "none", retention_ms: 60_000 }],
    ["a function of the platform, later", { implemented_at: "builtin:list_type", is_async: true }],
  ])("accepts %s", async (_what, settings) => {
    expect(await put("demo", settings)).toMatchObject({ name: "demo", ...settings });
  });

  test("an edit cannot take away what another setting needs", async () => {
    await put("demo", { is_async: true, concurrency: { limit: 1, key: "/customer" }, input_type: CUSTOMER });
    await expect(edit({ is_async: false })).rejects.toMatchObject({ errors: [{ pointer: "/concurrency" }] });
    await expect(edit({ input_type: { properties: { customer: null } } })).rejects.toMatchObject({
      errors: [{ pointer: "/concurrency/key" }],
    });
    expect(await edit({ is_async: false, concurrency: null })).toMatchObject({ is_async: false });
  });

  test("nor can the edit of a type, which is then refused as a whole", async () => {
    await base.run("put_type", { name: "customer", schema: CUSTOMER });
    await put("demo", { is_async: true, concurrency: { limit: 1, key: "/customer" }, input_type: "customer" });
    const before = await base.registry.revision();
    await expect(
      base.run("put_type", { name: "customer", schema: { ...CUSTOMER, properties: {} } }),
    ).rejects.toMatchObject({
      code: "definition_invalid",
      message: expect.stringMatching(/the operation "demo" must still be sound/) as string,
      errors: [{ pointer: "/concurrency/key" }],
    });
    expect(await base.registry.revision()).toBe(before);
  });

  test("a rollback to a revision that breaks a rule of today is refused", async () => {
    await put("demo", { is_async: true, concurrency: { limit: 1 } });
    await put("demo", { description: "later" });
    await base.database.run(
      sql`UPDATE revisions SET manifest = json_set(manifest, '$.is_async', json('false')) WHERE name = 'demo' AND revision = 1`,
    );
    await expect(base.run("rollback_operation", { name: "demo", to: 1 })).rejects.toMatchObject({
      code: "setting_unsupported",
      errors: [{ pointer: "/concurrency" }],
    });
  });
});

describe("rows that an earlier version stored, without the newer fields", () => {
  beforeEach(async () => {
    await installBuiltins(base.registry);
    await put("demo", { description: "old" });
    for (const table of ["entities", "revisions"]) {
      await base.database.run(
        sql`UPDATE ${sql.raw(table)} SET manifest = json_remove(manifest, '$.record', '$.retention_ms') WHERE kind = 'operation'`,
      );
    }
    await base.database.run(sql`DELETE FROM entities WHERE name LIKE '%execution' OR name LIKE '%artifact'`);
    await base.database.run(sql`DELETE FROM revisions WHERE name LIKE '%execution' OR name LIKE '%artifact'`);
    const upgraded = base.another();
    await installBuiltins(upgraded);
    base.registry = upgraded;
  });

  test("read as if they had the defaults, are filtered so, and fit the types of the built-ins", async () => {
    const { operation } = await base.registry.resolve("list_operation");
    for (const filter of [{ name: "demo" }, { name: "demo", record: "all" }, { name: "demo", retention_ms: null }]) {
      const { output } = await runBuiltin(base.registry, "list_operation", filter, ADMIN);
      expect(operation.output.check(output)).toMatchObject({ ok: true });
      expect(output).toMatchObject({ items: [{ name: "demo", record: "all", retention_ms: null }] });
    }
    expect((await base.registry.resolve("demo")).operation).toMatchObject({ record: "all", concurrency: null });
  });

  test("are edited and brought back like any other", async () => {
    const edit = { name: "demo", patch: { description: "new" } };
    const edited = (await runBuiltin(base.registry, "edit_operation", edit, ADMIN)).output;
    expect(edited).toMatchObject({ record: "all", meta: { revision: 2 } });
    const back = (await runBuiltin(base.registry, "rollback_operation", { name: "demo", to: 1 }, ADMIN)).output;
    expect(back).toMatchObject({ description: "old", record: "all", retention_ms: null, meta: { revision: 3 } });
  });

  test("get the new built-in operations beside them at the start", async () => {
    const names = [
      "cancel_execution",
      "get_artifact",
      "get_execution",
      "list_artifact",
      "list_execution",
      "replay_execution",
    ];
    for (const name of names)
      expect((await base.registry.resolve(name)).operation).toMatchObject({ name, active: true, group: "registry" });
  });
});
