import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KINDS, type Kind } from "../../model/entities.ts";
import type { Scope } from "../../model/scope.ts";
import type { Principal } from "../../model/principal.ts";
import { ADMIN, type Fixture, fixture, HOSTING, storeModule, STRING_FIELD } from "../_fixture.node.ts";
import type { Json } from "../schema.ts";
import { IDLE_AGENTS } from "./_agents.test-util.ts";
import { READY_MADE } from "../../machines/ready-made.ts";
import { COLD_SERVICES } from "./_services.test-util.ts";
import { BUILTINS } from "./definitions.ts";
import type { WiredPorts } from "./execution-functions.ts";
import { installBuiltins } from "./install-builtins.ts";
import { runBuiltin } from "./run-builtin.ts";

let base: Fixture;
beforeAll(async () => {
  base = await fixture({ builtins: true, adapters: HOSTING });
  await base.run("create_environment", { name: "lab", adapter: "hosts" });
  await base.run("create_job", { name: "plus_one", path: "/counters/:name", effect: "value + 1" });
  await base.run("create_service", { ...SERVICE, name: "albums" });
});
afterAll(() => base.close());

const none = async () => undefined;
const empty = async () => ({ items: [], next_cursor: null });
const nothingKept: WiredPorts = {
  agents: IDLE_AGENTS,
  services: COLD_SERVICES,
  subscriptions: { test: async () => ({ executionId: "ex_1", outcome: undefined }) },
  environments: {
    check: async ({ name, adapter, active }) => ({
      name,
      adapter,
      active,
      reachable: true,
      allowed: true,
      latency_ms: 1,
      missing: [],
      facts: {},
    }),
  },
  executions: { find: none, list: empty, cancel: none, replay: none },
  artifacts: { find: none, list: empty },
  webhooks: {
    find: none,
    list: empty,
    replay: none,
    test: async () => ({
      status: 202,
      delivery_id: "dl_1",
      execution_id: null,
      code: null,
      detail: null,
      errors: [],
      output: null,
    }),
  },
  schedules: { summaries: async () => new Map(), history: empty, trigger: async () => "ex_1" },
};
const holding = (...scopes: Scope[]): Principal => ({ id: "p", name: "p", scopes });

const SERVICE: Json = { name: "sample", environment: "lab", run: { process: { command: ["serve"] } } };

const MANIFESTS: Record<Kind, Json> = {
  operation: { name: "sample", implemented_at: "echo:echo", network: ["example.com"], timeout_ms: 5 },
  type: { name: "sample", schema: STRING_FIELD("a") },
  module: {
    name: "sample",
    exports: { echo: { input: { schema: true }, output: { name: "sample_output", schema: true } } },
  },
  environment: { name: "sample", adapter: "inline" },
  token: { name: "sample", scopes: ["ops:invoke"], expires_at: "2030-01-01T00:00:00Z" },
  secret: { name: "sample", value: "hidden", groups: ["default"] },
  webhook: { name: "sample", operation: "list_type", scheme: "none", unsigned: true },
  schedule: { name: "sample", operation: "list_type", cron: "0 2 * * *", time_zone: "Europe/Berlin" },
  subscription: { name: "sample", url: "https://example.com/hook", unsigned: true },
  job: { name: "sample", path: "/counters/:name", when: "value < target", effect: "value + 1" },
  agent: { name: "sample", jobs: ["plus_one"] },
  // It never comes back: the warning of that is in the answer.
  state_machine: {
    name: "sample",
    initial: "off",
    states: { off: { replicas: 0 }, on: { replicas: 1 } },
    transitions: [{ name: "begin", from: "off", to: "on", when: { fact: "waiting", op: ">", value: 0 } }],
  },
  service: SERVICE,
  exposure: { name: "sample", service: "albums" },
};

/** As POST /ops/NAME does it: input and output are held against the types of the operation's row. */
async function call(name: string, input: unknown): Promise<Json> {
  const { operation } = await base.registry.resolve(name);
  if (operation.implementation.kind !== "builtin") throw new Error(`${name} is not a built-in`);
  const checked = operation.input.check(input);
  if (!checked.ok) throw new Error(`${name}: ${JSON.stringify(checked.errors)}`);
  const { output } = await runBuiltin(base.registry, operation.implementation.function, checked.value, ADMIN);
  const answer = operation.output.check(JSON.parse(JSON.stringify(output)));
  expect(answer, name).toMatchObject({ ok: true });
  return output as Json;
}

describe.each(Object.keys(KINDS) as Kind[])("the built-in operations of %s", (kind) => {
  test("do what they say, within the types of their rows", async () => {
    const sha256 = await storeModule(base, "echo");
    const manifest = { ...MANIFESTS[kind], ...(kind === "module" ? { sha256 } : {}) };
    const created = await call(`create_${kind}`, manifest);
    expect(created).toMatchObject({ name: "sample", meta: { revision: 1 } });
    expect(typeof created["token"]).toBe(kind === "token" ? "string" : "undefined");
    await call(`put_${kind}`, { ...manifest, description: "put" });
    const { digest } = (await call(`get_${kind}`, { name: "sample" }))["meta"] as { digest: string };
    await call(`edit_${kind}`, { name: "sample", patch: { description: "edited" }, if_match: digest });
    expect(await call(`get_${kind}`, { name: "sample", revision: 2 })).toMatchObject({
      description: "put",
      meta: { revision: 2 },
    });
    await call(`duplicate_${kind}`, { name: "sample", patch: { name: "sample2" } });
    expect(await call(`list_${kind}`, { name: { op: "$like", value: "sample%" }, limit: 1 })).toMatchObject({
      items: [{ name: "sample" }],
      next_cursor: "sample",
    });
    expect(await call(`rollback_${kind}`, { name: "sample", to: 1 })).toMatchObject({
      description: "",
      meta: { revision: 4 },
    });
    expect((await call(`list_${kind}_revision`, { name: "sample" }))["items"]).toHaveLength(4);
    for (const name of ["sample", "sample2"])
      expect(await call(`delete_${kind}`, { name })).toEqual({ name, deleted: true });
    expect((await call("list_change", { limit: 2 }))["items"]).toMatchObject([
      { action: "delete", name: "sample2", kind, author: "admin_id", after: null },
      { action: "delete", name: "sample", kind },
    ]);
  });
});

describe("runBuiltin()", () => {
  test.each(Object.values(BUILTINS).map(({ name, scope }) => [name, scope] as const))(
    "%s needs %s",
    async (name, scope) => {
      const others = (["ops:invoke", "registry:read", "registry:write", "secrets:use", "admin"] as const).filter(
        (held) => held !== scope && held !== "admin" && !(held === "registry:write" && scope === "registry:read"),
      );
      await expect(runBuiltin(base.registry, name, {}, holding(...others))).rejects.toMatchObject({
        code: "forbidden",
      });
      // With the scope it gets as far as the input.
      await expect(
        runBuiltin(base.registry, name, { name: 1, limit: "x", patch: 1 }, holding(scope), nothingKept),
      ).rejects.toMatchObject({
        code: expect.stringMatching(/^(input|definition)_invalid$/) as string,
      });
    },
  );

  test("ties the scope to the function: a duplicate of create_token mints nothing for an invoke token", async () => {
    await call("duplicate_operation", { name: "create_token", patch: { name: "harmless", group: "demo" } });
    const { operation } = await base.registry.resolve("harmless");
    expect(operation).toMatchObject({ group: "demo", implementation: { kind: "builtin", function: "create_token" } });
    const minting = runBuiltin(
      base.registry,
      "create_token",
      { name: "mine", scopes: ["admin"] },
      holding("ops:invoke", "registry:write"),
    );
    await expect(minting).rejects.toMatchObject({ code: "forbidden" });
    await expect(call("get_token", { name: "mine" })).rejects.toMatchObject({ code: "entity_not_found" });
  });
});

describe("installBuiltins()", () => {
  test("installs all of them once", async () => {
    const fresh = await fixture({ builtins: true });
    const revision = await fresh.registry.revision();
    expect(revision).toBe(Object.keys(BUILTINS).length + READY_MADE.length + 1);
    expect(await installBuiltins(fresh.registry)).toEqual([]);
    expect(await installBuiltins(fresh.another())).toEqual([]);
    await fresh.close();
  });

  test("takes copies and edited rows along to the types of now, and nothing else of them", async () => {
    const fresh = await fixture({ builtins: true });
    const own = { type: "object" };
    await fresh.run("duplicate_operation", { name: "list_type", patch: { name: "mine", group: "demo" } });
    await fresh.run("duplicate_operation", { name: "list_type", patch: { name: "typed", output_type: null } });
    await fresh.run("put_operation", { name: "wide", implemented_at: "builtin:list_type", output_type: own });
    await fresh.run("edit_operation", { name: "list_type", patch: { active: false } });
    // As an earlier version had it: other types, in the rows and in what they took from the code.
    const older = JSON.stringify({ type: "object", properties: {}, additionalProperties: false });
    await fresh.database.run(sql`UPDATE entities SET digest = 'older',
      resolved = json_set(resolved, '$.code.output.schema', json(${older}), '$.output.closed', json(${older}))
      WHERE name IN ('mine', 'typed', 'wide', 'list_type', 'get_type')`);
    await fresh.database.run(sql`UPDATE entities SET manifest = json_set(manifest, '$.output_type', json(${older}))
      WHERE name IN ('mine', 'list_type', 'get_type')`);
    const upgraded = fresh.another();
    const changes = await installBuiltins(upgraded);
    expect(changes.map(({ name }) => name).toSorted()).toEqual(["get_type", "list_type", "mine", "typed"]);
    const answer = { items: [], next_cursor: null };
    for (const name of ["mine", "typed", "list_type"])
      expect((await upgraded.resolve(name)).operation.output.check(answer), name).toMatchObject({ ok: true });
    const row = (name: string) => runBuiltin(upgraded, "get_operation", { name }, ADMIN);
    expect((await row("mine")).output).toMatchObject({ group: "demo", meta: { revision: 2 } });
    expect((await row("typed")).output).toMatchObject({ output_type: null, meta: { revision: 2 } });
    expect((await row("wide")).output).toMatchObject({ output_type: own, meta: { revision: 1 } });
    expect((await row("list_type")).output).toMatchObject({ active: false, meta: { revision: 3 } });
    // Still somebody's own, though the platform wrote last.
    expect(await installBuiltins(fresh.another())).toEqual([]);
    await fresh.close();
  });

  test.each<[Kind, string]>([
    ["state_machine", "always_on"],
    ["operation", "list_type"],
    ["environment", "inline"],
  ])("a %s that is ready-made and was deleted, as %s, comes back by a rollback", async (kind, name) => {
    const fresh = await fixture({ builtins: true });
    const { meta: _before, ...before } = await fresh.run(`get_${kind}`, { name });
    await fresh.run(`delete_${kind}`, { name });
    expect(await installBuiltins(fresh.another())).toEqual([]);
    const back = await fresh.run(`rollback_${kind}`, { name, to: 1 });
    expect(back).toMatchObject({ ...before, meta: { revision: 2 } });
    expect(await installBuiltins(fresh.another())).toEqual([]);
    for (let cursor: unknown; cursor !== null;) {
      const page = await fresh.run("verify_audit", { limit: 1000, ...(cursor === undefined ? {} : { cursor }) });
      expect(page).toMatchObject({ broken: null });
      cursor = page["next_cursor"];
    }
    await fresh.close();
  });

  test.each([
    ["token", { name: "gone", scopes: ["ops:invoke"] }],
    ["secret", { name: "gone", value: "sesame" }],
  ])("a %s that was deleted is gone for good", async (kind, manifest) => {
    await base.run(`create_${kind}`, manifest);
    await base.run(`delete_${kind}`, { name: "gone" });
    const back = base.run(`rollback_${kind}`, { name: "gone", to: 1 });
    await expect(back).rejects.toMatchObject({ code: "entity_not_found" });
  });

  test("upgrades what nobody touched, and leaves alone what somebody edited or deleted", async () => {
    const fresh = await fixture({ builtins: true });
    const install = (description: string) =>
      fresh.registry.install(
        ["list_type", "get_type", "put_type"].map((name) => ({
          kind: "operation",
          manifest: { name, description, implemented_at: `builtin:${name}` },
        })),
      );
    await fresh.run("edit_operation", { name: "get_type", patch: { active: false } });
    await fresh.run("delete_operation", { name: "put_type" });
    expect((await install("newer")).map(({ name }) => name)).toEqual(["list_type"]);
    expect(await fresh.run("get_operation", { name: "list_type" })).toMatchObject({
      description: "newer",
      meta: { revision: 2, updated_by: "system" },
    });
    expect(await fresh.run("get_operation", { name: "get_type" })).toMatchObject({ active: false });
    await fresh.close();
  });
});
