import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { INLINE_ADAPTER } from "../model/environment.ts";
import { describedAs } from "../model/_environment.test-util.ts";
import { fixture, storeModule, type Fixture } from "./_fixture.node.ts";
import type { Json } from "./schema.ts";

const RACK = describedAs("rack", {
  config: v.strictObject({ slots: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 4) }),
  secrets: { key: { required: true, summary: "opens the door" }, note: { required: false, summary: "a note" } },
  runs: ["module", "python", "process", "http"],
});
const HOOK = describedAs("hook", { runs: ["http"] });

let base: Fixture;
beforeEach(async () => {
  base = await fixture({ adapters: [INLINE_ADAPTER, RACK, HOOK] });
  await base.run("create_secret", { name: "door", value: "open sesame" });
  await storeModule(base, "echo");
});
afterEach(() => base.close());

const rack = (more: Json = {}) =>
  base.run("put_environment", { name: "rack-1", adapter: "rack", secrets: { key: "door" }, ...more });
const operation = (more: Json) => base.run("put_operation", { name: "demo", ...more });

describe("environments", () => {
  test("are stored with the defaults of their adapter's configuration", async () => {
    expect(await rack()).toMatchObject({ config: { slots: 4 }, capabilities: {}, secrets: { key: "door" } });
  });

  test.each([
    ["/adapter", { adapter: "rock" }, "definition_invalid"],
    ["/config/slots", { config: { slots: 0 } }, "definition_invalid"],
    ["/config/slots", { config: { slots: "4" } }, "definition_invalid"],
    ["/config/slot", { config: { slot: 4 } }, "setting_unsupported"],
    ["/secrets", { secrets: {} }, "definition_invalid"],
    ["/secrets/kee", { secrets: { key: "door", kee: "door" } }, "setting_unsupported"],
    ["/secrets/key", { secrets: { key: "unknown" } }, "definition_invalid"],
    ["/capabilities/gpu", { capabilities: { gpu: null } }, "definition_invalid"],
  ])("are refused at %s when the adapter would not act on %j", async (pointer, more, code) => {
    await expect(rack(more)).rejects.toMatchObject({ code, errors: [expect.objectContaining({ pointer })] });
  });

  test("open their secrets by the adapter's words, and again after one was changed", async () => {
    await rack();
    const read = async () => (await base.registry.environment("rack-1"))?.openSecrets();
    expect(await read()).toEqual({ key: "open sesame" });
    await base.run("edit_secret", { name: "door", patch: { value: "closed" } });
    expect(await read()).toEqual({ key: "closed" });
    await expect(base.run("delete_secret", { name: "door" })).rejects.toMatchObject({ code: "entity_in_use" });
  });

  test("are read as an earlier revision had them, gone or not, with secrets as they are now", async () => {
    await base.run("create_secret", { name: "gate", value: "sesame" });
    await rack({ config: { slots: 1 } });
    await rack({ config: { slots: 2 }, secrets: { key: "gate" } });
    const read = async (revision: number) => {
      const environment = await base.registry.environment("rack-1", revision);
      return environment && [environment.config, await environment.openSecrets()];
    };
    expect(await read(1)).toEqual([{ slots: 1 }, { key: "open sesame" }]);
    expect(await read(2)).toEqual([{ slots: 2 }, { key: "sesame" }]);
    expect(await read(3)).toBeUndefined();
    await base.run("edit_secret", { name: "door", patch: { value: "closed" } });
    await base.run("delete_environment", { name: "rack-1" });
    expect(await base.registry.environment("rack-1")).toBeUndefined();
    expect(await read(1)).toEqual([{ slots: 1 }, { key: "closed" }]);
    await rack({ config: { slots: 3 } });
    expect(await read(3)).toEqual([{ slots: 3 }, { key: "closed" }]);
  });

  test("are listed by name, and an edit is seen at once", async () => {
    await rack();
    const names = async () => (await base.registry.environments()).map(({ name, active }) => [name, active]);
    expect(await names()).toEqual([
      ["inline", true],
      ["rack-1", true],
    ]);
    await base.run("edit_environment", { name: "rack-1", patch: { active: false } });
    expect(await names()).toContainEqual(["rack-1", false]);
  });

  test("keep an adapter that runs what names them", async () => {
    await rack();
    await operation({ implemented_at: { process: { command: ["./thumb.sh"] } }, environment: "rack-1" });
    const change = base.run("put_environment", { name: "rack-1", adapter: "hook" });
    await expect(change).rejects.toMatchObject({ code: "entity_in_use", errors: [{ pointer: "/adapter" }] });
  });
});

describe("operations that are not our code", () => {
  beforeEach(() => rack());

  test.each([
    [{ process: { command: ["./thumb.sh", "-x"] } }, { kind: "process", command: ["./thumb.sh", "-x"] }],
    [{ http: { url: "/albums" } }, { kind: "http", url: "/albums", method: "POST" }],
  ])("%j are resolved as they stand, with any type unless the row names one", async (at, implementation) => {
    await operation({ implemented_at: at, environment: "rack-1", output_type: { type: "number" } });
    const { operation: resolved } = await base.registry.resolve("demo");
    expect(resolved).toMatchObject({ implementation, environments: ["rack-1"], input: { any: true } });
    expect(resolved.output.check("x").ok).toBe(false);
  });

  const PROCESS = { implemented_at: { process: { command: ["true"] } } };
  test.each([
    ["no environment", PROCESS, "/environment", "setting_unsupported"],
    ["one whose adapter does not run it", { ...PROCESS, environment: "inline" }, "/environment", "setting_unsupported"],
    ["a list with one", { ...PROCESS, environment: ["rack-1", "inline"] }, "/environment", "setting_unsupported"],
    ["hosts", { ...PROCESS, environment: "rack-1", network: ["a.example"] }, "/network", "setting_unsupported"],
    ["secrets", { ...PROCESS, environment: "rack-1", secrets: ["door"] }, "/secrets", "setting_unsupported"],
    ["no command", { implemented_at: { process: { command: [] } } }, "/implemented_at", "definition_invalid"],
    [
      "two sorts",
      { implemented_at: { process: { command: ["a"] }, http: { url: "/a" } } },
      "/implemented_at",
      "definition_invalid",
    ],
  ])("are refused with %s", async (_what, more, pointer, code) => {
    const refused = operation(more);
    await expect(refused).rejects.toMatchObject({ code });
    await expect(refused).rejects.toMatchObject({ errors: [{ pointer: expect.stringContaining(pointer) as string }] });
  });

  test("run anywhere that has what they require when they name no environment", async () => {
    await operation({ ...PROCESS, requires: { gpu: true, memory_mb: 2048 } });
    const { operation: resolved } = await base.registry.resolve("demo");
    expect(resolved).toMatchObject({ environments: null, requires: { gpu: true, memory_mb: 2048 } });
  });

  test("in Python run where Python does", async () => {
    const { registry } = base;
    const { sha256 } = (await base.run("get_module", { name: "echo" })) as unknown as { sha256: string };
    const any = { schema: true };
    await base.run("put_module", {
      name: "py",
      language: "python",
      sha256,
      exports: { f: { input: any, output: any } },
    });
    await expect(operation({ implemented_at: "py:f" })).rejects.toMatchObject({ code: "setting_unsupported" });
    await operation({ implemented_at: "py:f", environment: "rack-1" });
    const { operation: resolved } = await registry.resolve("demo");
    expect(resolved.implementation).toMatchObject({ kind: "module", language: "python" });
    expect(await registry.loadIsolate(resolved)).toMatchObject({ language: "python", export: "f" });
  });

  test("move with one edit, and back with a rollback", async () => {
    await operation({ implemented_at: "echo:echo" });
    await base.run("edit_operation", { name: "demo", patch: { environment: "rack-1" } });
    expect((await base.registry.resolve("demo")).operation.environments).toEqual(["rack-1"]);
    await base.run("rollback_operation", { name: "demo", to: 1 });
    expect((await base.registry.resolve("demo")).operation.environments).toEqual(["inline"]);
  });
});
