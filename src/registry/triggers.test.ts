import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Principal } from "../model/principal.ts";
import type { Scope } from "../model/scope.ts";
import { ADMIN, fixture, storeModule, type Fixture } from "./_fixture.node.ts";
import type { Json } from "./schema.ts";

let base: Fixture;
beforeEach(async () => {
  base = await fixture();
  await storeModule(base, "echo");
  await base.run("create_operation", { name: "demo", group: "shop", implemented_at: "echo:echo" });
  await base.run("create_secret", { name: "key", value: "first", groups: ["shop"] });
  await base.run("create_secret", { name: "other", value: "x", groups: ["bank"] });
});
afterEach(() => base.close());

const holding = (...scopes: Scope[]): Principal => ({ id: "p", name: "p", scopes });
const WRITER = ["registry:write", "ops:invoke:shop", "secrets:use"] as const;

const HOOK = { name: "hook", operation: "demo", scheme: "github", secrets: ["key"], scopes: ["ops:invoke:shop"] };
const NIGHTLY = { name: "nightly", operation: "demo", cron: "0 2 * * *", scopes: ["ops:invoke:shop"] };
const TELL = { name: "tell", url: "https://example.com/", secrets: ["key"], scopes: ["ops:invoke:shop"] };

const hmac = (settings: Json, rest: Json = {}): Json => ({
  ...HOOK,
  scheme: "hmac",
  hmac: { header: "x-signature", ...settings },
  ...rest,
});

describe("a trigger's scopes", () => {
  test.each([
    ["webhook", HOOK],
    ["schedule", NIGHTLY],
    ["subscription", { ...TELL, url: null, secrets: [], operation: "demo" }],
  ])("of a %s are within those of whoever writes it, at every write", async (kind, manifest) => {
    await base.run(`put_${kind}`, manifest, holding(...WRITER));
    for (const scopes of [["admin"], ["ops:invoke"], ["ops:invoke:shop", "registry:write", "secrets:use", "admin"]]) {
      await expect(base.run(`put_${kind}`, { ...manifest, scopes }, holding(...WRITER))).rejects.toMatchObject({
        code: "forbidden",
      });
    }
    // Neither may it be bent to other ends, or brought back, by somebody with less than it has.
    const less = holding("registry:write", "secrets:use");
    const edit = base.run(`edit_${kind}`, { name: manifest.name, patch: { description: "x" } }, less);
    await expect(edit).rejects.toMatchObject({ code: "forbidden" });
    await base.run(`edit_${kind}`, { name: manifest.name, patch: { active: false } });
    const back = base.run(`rollback_${kind}`, { name: manifest.name, to: 1 }, less);
    await expect(back).rejects.toMatchObject({ code: "forbidden" });
  });

  test("must reach the operation that it starts", async () => {
    await expect(base.run("put_webhook", { ...HOOK, scopes: ["ops:invoke:bank"] })).rejects.toMatchObject({
      code: "definition_invalid",
      errors: [expect.objectContaining({ pointer: "/scopes" })],
    });
  });

  test("are those of its principal, from the row as it is now", async () => {
    await base.run("put_webhook", HOOK);
    expect(await base.registry.principalById("webhook:hook")).toMatchObject({ scopes: ["ops:invoke:shop"] });
    await base.run("edit_webhook", { name: "hook", patch: { scopes: ["ops:invoke"] } });
    expect(await base.registry.principalById("webhook:hook")).toMatchObject({ scopes: ["ops:invoke"] });
    await base.run("edit_webhook", { name: "hook", patch: { active: false } });
    await expect(base.registry.principalById("webhook:hook")).rejects.toMatchObject({ code: "trigger_inactive" });
    await base.run("delete_webhook", { name: "hook" });
    await expect(base.registry.principalById("webhook:hook")).rejects.toMatchObject({ code: "trigger_inactive" });
  });
});

describe("triggers", () => {
  test.each<[string, string, Json, string]>([
    ["webhook", "/secrets", { ...HOOK, secrets: [] }, "definition_invalid"],
    ["webhook", "/unsigned", { ...HOOK, scheme: "none", secrets: [] }, "definition_invalid"],
    ["webhook", "/unsigned", { ...HOOK, unsigned: true }, "definition_invalid"],
    ["webhook", "/secrets/0", { ...HOOK, secrets: ["other"] }, "definition_invalid"],
    ["webhook", "/secrets/0", { ...HOOK, secrets: ["unknown"] }, "definition_invalid"],
    ["webhook", "/hmac", { ...HOOK, scheme: "hmac" }, "definition_invalid"],
    ["webhook", "/hmac", { ...HOOK, hmac: { header: "x-signature" } }, "setting_unsupported"],
    ["webhook", "/token_header", { ...HOOK, token_header: { name: "x-token" } }, "setting_unsupported"],
    ["webhook", "/operation", { ...HOOK, operation: "unknown" }, "definition_invalid"],
    ["webhook", "/tolerance_s", { ...HOOK, tolerance_s: 60 }, "setting_unsupported"],
    ["webhook", "/tolerance_s", hmac({}, { tolerance_s: 60 }), "setting_unsupported"],
    ["webhook", "/hmac/signed", hmac({ timestamp_header: "x-time" }), "definition_invalid"],
    ["webhook", "/hmac/timestamp_header", hmac({ signed: "{timestamp}.{body}" }), "definition_invalid"],
    ["webhook", "/hmac/id_header", hmac({ signed: "{id}.{body}" }), "definition_invalid"],
    ["webhook", "/mapping", { ...HOOK, mapping: "body.(" }, "expression_invalid"],
    ["webhook", "/dedupe", { ...HOOK, dedupe: "$eval(body)" }, "expression_invalid"],
    ["schedule", "/cron", { ...NIGHTLY, every_ms: 1000 }, "definition_invalid"],
    ["schedule", "/cron", { ...NIGHTLY, cron: null }, "definition_invalid"],
    ["subscription", "/url", { ...TELL, operation: "demo" }, "definition_invalid"],
    ["subscription", "/unsigned", { ...TELL, secrets: [] }, "definition_invalid"],
    ["subscription", "/secrets", { ...TELL, url: null, operation: "demo" }, "setting_unsupported"],
    [
      "subscription",
      "/operation",
      { ...TELL, url: null, secrets: [], operation: "demo", operations: ["demo"] },
      "definition_invalid",
    ],
  ])("of kind %s are refused at %s: %j", async (kind, pointer, manifest, code) => {
    await expect(base.run(`put_${kind}`, manifest)).rejects.toMatchObject({
      code,
      errors: [expect.objectContaining({ pointer })],
    });
  });

  test.each<[string, string, Json, string]>([
    ["webhook", "a secret that is not there", { ...HOOK, secrets: ["unknown"] }, "opctl secret set unknown"],
    [
      "webhook",
      "a secret of another group",
      { ...HOOK, secrets: ["other"] },
      `opctl edit secret other -s 'groups=["bank","shop"]'`,
    ],
    ["schedule", "two timings", { ...NIGHTLY, every_ms: 60_000 }, "-s cron=null or -s every_ms=null"],
    [
      "schedule",
      "a zone that nothing is read in",
      { ...NIGHTLY, cron: null, every_ms: 60_000, time_zone: "Europe/Berlin" },
      "-s time_zone=UTC",
    ],
    ["subscription", "two targets", { ...TELL, operation: "demo" }, "-s url=null or -s operation=null"],
  ])("of the kind %s say what to do about %s", async (kind, _what, manifest, hint) => {
    await expect(base.run(`put_${kind}`, manifest)).rejects.toMatchObject({
      hint: expect.stringContaining(hint) as string,
    });
  });

  test("with secrets need secrets:use, and a private network admin", async () => {
    const writer = holding("registry:write", "ops:invoke:shop");
    await expect(base.run("put_webhook", HOOK, writer)).rejects.toMatchObject({ code: "forbidden" });
    const privately = base.run("put_subscription", { ...TELL, network: "private" }, holding(...WRITER));
    await expect(privately).rejects.toMatchObject({ code: "forbidden" });
  });

  test("hold what they use: neither the operation nor a secret can be deleted under them", async () => {
    await base.run("put_webhook", HOOK);
    await expect(base.run("delete_operation", { name: "demo" })).rejects.toMatchObject({ code: "entity_in_use" });
    await expect(base.run("delete_secret", { name: "key" })).rejects.toMatchObject({ code: "entity_in_use" });
  });

  test("are read from the cache until they or their secrets change", async () => {
    await base.run("put_webhook", HOOK);
    const first = await base.registry.trigger("webhook", "hook");
    expect(await base.registry.trigger("webhook", "hook")).toBe(first);
    expect(await base.registry.triggerSecrets(first!)).toEqual(["first"]);
    await base.run("edit_secret", { name: "key", patch: { value: "second" } });
    const second = await base.registry.trigger("webhook", "hook");
    expect(await base.registry.triggerSecrets(second!)).toEqual(["second"]);
    expect(await base.registry.triggers("webhook")).toMatchObject([{ name: "hook", scheme: "github" }]);
    await base.run("delete_webhook", { name: "hook" });
    expect(await base.registry.trigger("webhook", "hook")).toBeUndefined();
    expect(await base.registry.triggers("webhook")).toEqual([]);
  });

  test("have no secret whose groups no longer include that of the webhook's operation", async () => {
    await base.run("put_webhook", HOOK);
    const opened = async () => base.registry.triggerSecrets((await base.registry.trigger("webhook", "hook"))!);
    expect(await opened()).toEqual(["first"]);
    await base.run("edit_secret", { name: "key", patch: { groups: ["bank"] } });
    await expect(opened()).rejects.toMatchObject({ code: "secret_unavailable" });
    await base.run("edit_operation", { name: "demo", patch: { group: "bank" } });
    expect(await opened()).toEqual(["first"]);
    await base.run("edit_operation", { name: "demo", patch: { group: "shop" } });
    await expect(opened()).rejects.toMatchObject({ code: "secret_unavailable" });
  });

  test("that are not there cost one look until one of that name is", async () => {
    await base.registry.trigger("webhook", "another");
    const reads = vi.spyOn(base.client, "execute");
    for (let n = 0; n < 5; n++) expect(await base.registry.trigger("webhook", "hook")).toBeUndefined();
    expect(reads).toHaveBeenCalledTimes(1);
    await base.run("put_webhook", HOOK);
    expect(await base.registry.trigger("webhook", "hook")).toMatchObject({ name: "hook" });
    await base.run("delete_webhook", { name: "hook" });
    expect(await base.registry.trigger("webhook", "hook")).toBeUndefined();
  });
});

describe("changes of triggers", () => {
  test("are told by name from a registry revision on, a bounded number at a time", async () => {
    const before = await base.registry.revision();
    for (const name of ["a", "b", "c"]) await base.run("put_schedule", { ...NIGHTLY, name });
    await base.run("put_webhook", HOOK);
    await base.run("delete_schedule", { name: "b" });
    const upto = await base.registry.revision();
    const since = (revision: number, limit: number) => base.registry.triggersChangedSince("schedule", revision, limit);
    expect(await since(before, 10)).toEqual({ names: ["a", "b", "c"], upto, more: false });
    expect(await since(upto, 10)).toEqual({ names: [], upto, more: false });
    const first = await since(before, 2);
    expect(first).toMatchObject({ names: ["a", "b"], more: true });
    expect(await since(first.upto, 10)).toEqual({ names: ["c", "b"], upto, more: false });
    // A registry that was put back to an earlier state says so.
    expect((await since(upto + 100, 10)).upto).toBe(upto);
  });

  test("are read by name from the database, or from the cache", async () => {
    await base.run("put_schedule", NIGHTLY);
    const [cached] = await base.registry.triggersNamed("schedule", ["nightly", "nobody"]);
    expect(cached).toMatchObject({ name: "nightly", cron: "0 2 * * *" });
    expect((await base.registry.triggersNamed("schedule", ["nightly"]))[0]).toBe(cached);
    const [fresh] = await base.registry.triggersNamed("schedule", ["nightly"], { fresh: true });
    expect(fresh).toEqual(cached);
    expect(fresh).not.toBe(cached);
  });

  test("are told to whoever follows: the writer's before it answers, others' when they are seen", async () => {
    const told: string[] = [];
    const others = base.another();
    const following = base.another({
      followers: {
        seen: (change) => void told.push(`seen ${change?.kind} ${change?.name}`),
        wrote: async (changes) => void told.push(...changes.map(({ kind, name }) => `wrote ${kind} ${name}`)),
      },
    });
    await following.resolve("demo");
    await following.write({ action: "put", kind: "schedule", manifest: NIGHTLY }, ADMIN);
    expect(told).toEqual(["wrote schedule nightly"]);
    await others.write({ action: "put", kind: "schedule", manifest: { ...NIGHTLY, name: "other" } }, ADMIN);
    base.clock.now += 2_000;
    await following.resolve("demo");
    expect(told).toEqual(["wrote schedule nightly", "seen schedule other"]);
  });
});
