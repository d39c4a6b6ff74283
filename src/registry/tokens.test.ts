import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ADMIN, fixture, MASTER_KEY, storeModule, type Fixture } from "./_fixture.node.ts";
import { revisions, secretValues } from "./schema.ts";

let base: Fixture;
const background: Promise<unknown>[] = [];
beforeEach(async () => {
  background.length = 0;
  base = await fixture({ background: (work) => background.push(work) });
});
afterEach(() => base.close());

const create = async (more = {}) =>
  String((await base.run("create_token", { name: "ci", scopes: ["ops:invoke"], ...more }))["token"]);

describe("a token", () => {
  test("is said once and kept as a hash only", async () => {
    const text = await create();
    expect(text).toMatch(/^sy_[0-9a-z]{16}_[0-9a-z]{32}$/);
    const principal = await base.registry.authenticate(text);
    expect(principal).toMatchObject({ name: "ci", scopes: ["ops:invoke"], id: text.split("_")[1] });
    expect(await base.registry.principalById(principal.id)).toEqual(principal);
    expect(await base.run("get_token", { name: "ci" })).not.toHaveProperty("token");
    const everything = JSON.stringify(
      await Promise.all(
        ["entities", "revisions", "changes", "token_secrets"].map(
          async (table) => (await base.client.execute(`SELECT * FROM ${table}`)).rows,
        ),
      ),
    );
    expect(everything).not.toContain(text.split("_")[2]);
  });

  test("is refused when unknown, with another secret, revoked, deleted, or expired", async () => {
    const text = await create({ expires_at: "2026-11-21T12:10:00Z" });
    const [, id = "", secret = ""] = text.split("_");
    const wrong = `sy_${id}_${"0".repeat(secret.length)}`;
    for (const bearer of ["", "x", `sy_${"0".repeat(16)}_${secret}`, wrong, `${text}0`, text.toUpperCase()]) {
      await expect(base.registry.authenticate(bearer)).rejects.toMatchObject({ code: "token_unknown" });
    }
    await base.registry.authenticate(text);
    await base.run("edit_token", { name: "ci", patch: { active: false } });
    await expect(base.registry.authenticate(text)).rejects.toMatchObject({ code: "token_revoked" });
    await base.run("edit_token", { name: "ci", patch: { active: true } });
    await base.registry.authenticate(text);
    base.clock.now = Date.parse("2026-11-21T12:10:00Z");
    await expect(base.registry.authenticate(text)).rejects.toMatchObject({ code: "token_expired" });
    await base.run("delete_token", { name: "ci" });
    await expect(base.registry.authenticate(text)).rejects.toMatchObject({ code: "token_unknown" });
    await expect(base.registry.principalById(id)).rejects.toMatchObject({ code: "token_unknown" });
  });

  test.each(["2020-01-01T00:00:00+05", "2020-01-01T00:00:00.5-03"])(
    "is not made with the expiry %s, which is no time: it would never come",
    async (expires_at) => {
      await expect(create({ expires_at })).rejects.toMatchObject({ errors: [{ pointer: "/expires_at" }] });
    },
  );

  test("with an expiry that cannot be read is refused, however it got into the database", async () => {
    const text = await create({ expires_at: "2030-01-01T00:00:00Z" });
    await base.client.execute(
      "UPDATE entities SET manifest = json_set(manifest, '$.expires_at', 'soon') WHERE kind = 'token'",
    );
    await expect(base.another().authenticate(text)).rejects.toMatchObject({ code: "token_expired" });
  });

  test("keeps its secret through edits and rollbacks; a duplicate has its own", async () => {
    const text = await create();
    await base.run("edit_token", { name: "ci", patch: { scopes: ["registry:read"] } });
    expect((await base.registry.authenticate(text)).scopes).toEqual(["registry:read"]);
    await base.run("rollback_token", { name: "ci", to: 1 });
    expect((await base.registry.authenticate(text)).scopes).toEqual(["ops:invoke"]);
    const copy = String((await base.run("duplicate_token", { name: "ci", patch: { name: "ci2" } }))["token"]);
    expect(copy).not.toBe(text);
    expect(await base.registry.authenticate(copy)).toMatchObject({ name: "ci2" });
  });

  test("made anew under an old name does not revive the old secret", async () => {
    const old = await create();
    await base.run("delete_token", { name: "ci" });
    const fresh = await create({ description: "new" });
    await base.run("rollback_token", { name: "ci", to: 1 });
    await base.registry.authenticate(fresh);
    await expect(base.registry.authenticate(old)).rejects.toMatchObject({ code: "token_unknown" });
  });

  test("notes its last use at most once a minute, and not as a revision", async () => {
    const text = await create();
    const revision = await base.registry.revision();
    for (const seconds of [0, 20, 40]) {
      base.clock.now = Date.parse("2026-11-21T12:00:00Z") + seconds * 1000;
      await base.registry.authenticate(text);
    }
    expect(background).toHaveLength(1);
    await Promise.all(background);
    expect((await base.run("get_token", { name: "ci" })).meta).toMatchObject({
      last_used_at: "2026-11-21T12:00:00.000Z",
    });
    base.clock.now += 60_000;
    await base.registry.authenticate(text);
    await Promise.all(background);
    expect((await base.run("get_token", { name: "ci" })).meta).toMatchObject({
      last_used_at: "2026-11-21T12:01:40.000Z",
    });
    expect(await base.registry.revision()).toBe(revision);
  });
});

const operation = async (more = {}) => {
  await storeModule(base, "echo");
  await base.run("put_operation", { name: "demo", implemented_at: "echo:echo", secrets: ["key"], ...more });
  return (await base.registry.resolve("demo")).operation;
};

describe("a secret", () => {
  test("is sealed, never answered, and opened for the operation that lists it", async () => {
    expect(await base.run("create_secret", { name: "key", value: "hunter2" })).not.toHaveProperty("value");
    expect(await base.registry.loadIsolate(await operation())).toMatchObject({
      export: "echo",
      secrets: { key: "hunter2" },
    });
    const stored = JSON.stringify([
      await base.database.select().from(secretValues),
      await base.database.select().from(revisions).where(eq(revisions.kind, "secret")),
    ]);
    expect(stored).not.toContain("hunter2");
    expect(stored).not.toContain(btoa("hunter2"));
    await expect(base.run("list_secret", { value: "hunter2" })).rejects.toMatchObject({ code: "input_invalid" });
  });

  test("gives a new isolate when it is rotated, a new digest, and the same isolate when it is not", async () => {
    const { digest } = (await base.run("create_secret", { name: "key", value: "one" })).meta;
    const before = await operation();
    const rotated = await base.run("edit_secret", { name: "key", patch: { value: "two" } });
    expect(rotated.meta.digest).not.toBe(digest);
    const after = (await base.registry.resolve("demo")).operation;
    expect(base.registry.isolateId(after)).not.toBe(base.registry.isolateId(before));
    expect((await base.registry.loadIsolate(after)).secrets).toEqual({ key: "two" });
    await base.run("edit_secret", { name: "key", patch: { description: "d" } });
    await base.run("edit_operation", { name: "demo", patch: { description: "d" } });
    const same = (await base.registry.resolve("demo")).operation;
    expect(same.revision).toBe(2);
    expect(base.registry.isolateId(same)).toBe(base.registry.isolateId(after));
    // Groups and description go back, the value does not.
    await base.run("rollback_secret", { name: "key", to: 1 });
    expect((await base.registry.loadIsolate(same)).secrets).toEqual({ key: "two" });
  });

  test("does not open with another master key, or under another name", async () => {
    await base.run("create_secret", { name: "key", value: "one" });
    const found = await operation();
    const other = base.another({ masterKey: Buffer.alloc(32, 8).toString("base64") });
    await expect(other.loadIsolate(found)).rejects.toMatchObject({ code: "secret_unavailable" });
    await expect(base.another({ masterKey: "short" }).loadIsolate(found)).rejects.toMatchObject({
      code: "secret_unavailable",
    });
    await base.run("create_secret", { name: "target", value: "other" });
    await base.client.execute(
      "UPDATE secret_values SET sealed = (SELECT sealed FROM secret_values WHERE name = 'target') WHERE name = 'key'",
    );
    await expect(base.another({ masterKey: MASTER_KEY }).loadIsolate(found)).rejects.toMatchObject({
      code: "secret_unavailable",
    });
  });

  test("is withheld when its groups no longer include the operation's, and not deleted while in use", async () => {
    await base.run("create_secret", { name: "key", value: "one" });
    const found = await operation();
    await expect(base.run("delete_secret", { name: "key" })).rejects.toMatchObject({ code: "entity_in_use" });
    await base.run("edit_secret", { name: "key", patch: { groups: ["other"] } });
    await expect(base.registry.loadIsolate(found)).rejects.toMatchObject({ code: "secret_unavailable" });
  });

  test("gives a new isolate when its groups change, so that one that holds the value is used no more", async () => {
    await base.run("create_secret", { name: "key", value: "one" });
    const before = base.registry.isolateId(await operation());
    await base.run("edit_secret", { name: "key", patch: { groups: ["other"] } });
    const { operation: after } = await base.registry.resolve("demo");
    expect(base.registry.isolateId(after)).not.toBe(before);
    await expect(base.registry.loadIsolate(after)).rejects.toMatchObject({ code: "secret_unavailable" });
    await base.run("rollback_secret", { name: "key", to: 1 });
    const { operation: again } = await base.registry.resolve("demo");
    expect(base.registry.isolateId(again)).not.toBe(base.registry.isolateId(after));
    expect((await base.registry.loadIsolate(again)).secrets).toEqual({ key: "one" });
  });

  test("has its value copied to a duplicate", async () => {
    await base.run("create_secret", { name: "source", value: "one" });
    await base.run("duplicate_secret", { name: "source", patch: { name: "key" } });
    expect((await base.registry.loadIsolate(await operation())).secrets).toEqual({ key: "one" });
    await expect(base.run("create_secret", { name: "empty" })).rejects.toMatchObject({
      errors: [{ pointer: "/value" }],
    });
  });
});

test("the isolate's id changes with code, export, network and secrets, and with nothing else", async () => {
  await storeModule(base, "echo", {
    exports: {
      echo: { input: { schema: true }, output: { schema: true } },
      other: { input: { schema: true }, output: { schema: true } },
    },
  });
  const idAfter = async (more: object) => {
    await base.run("put_operation", { name: "demo", implemented_at: "echo:echo", ...more }, ADMIN);
    return base.registry.isolateId((await base.registry.resolve("demo")).operation);
  };
  const usual = await idAfter({});
  expect(usual).toMatch(/^[A-Za-z0-9._-]+$/);
  expect(await idAfter({ description: "d", timeout_ms: 5, group: "g", input_type: { type: "string" } })).toBe(usual);
  const others = [await idAfter({ implemented_at: "echo:other" }), await idAfter({ network: ["a.example"] }), usual];
  expect(new Set(others).size).toBe(3);
});
