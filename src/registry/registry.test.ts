import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ADMIN, fixture, storeModule, STRING_FIELD, type Fixture } from "./_fixture.node.ts";
import type { Principal } from "../model/principal.ts";
import type { Json } from "./schema.ts";

let base: Fixture;
beforeEach(async () => {
  base = await fixture();
});
afterEach(() => base.close());

const WRITER: Principal = { id: "writer", name: "writer", scopes: ["registry:write"] };
const echoTypes = (output: string) => ({
  input: { name: "echo_input", schema: STRING_FIELD("input_str") },
  output: { name: output, schema: STRING_FIELD("output_str") },
});
const put = (name: string, more: Json = {}) =>
  base.run("put_operation", { name, implemented_at: "echo:echo", ...more });
const accepts = async (name: string, input: unknown, revision?: number) => {
  const { operation } = await base.registry.resolve(name, revision === undefined ? {} : { revision });
  return operation.input.check(input).ok;
};

describe("an operation", () => {
  test("takes its types from the code unless it names its own", async () => {
    await storeModule(base, "echo", { exports: { echo: echoTypes("echo_output"), echo2: echoTypes("echo_output2") } });
    expect((await put("demo")).meta).toMatchObject({
      revision: 1,
      resolved: { input_type: "echo_input", output_type: "echo_output" },
    });
    const edited = await base.run("edit_operation", { name: "demo", patch: { implemented_at: "echo:echo2" } });
    expect(edited).toMatchObject({
      input_type: null,
      meta: { revision: 2, resolved: { output_type: "echo_output2" } },
    });
    expect(await accepts("demo", { input_str: "hi" })).toBe(true);
    expect(await accepts("demo", {})).toBe(false);
  });

  test("stores a type written in place under its name, and refuses a name taken by other content", async () => {
    await storeModule(base, "echo");
    const type = { name: "own_output", attributes: { a: { data_type: "string" } } };
    expect(await put("demo", { output_type: type })).toMatchObject({
      output_type: "own_output",
      meta: { resolved: { output_type: "own_output" } },
    });
    expect(await base.run("get_type", { name: "own_output" })).toMatchObject({
      attributes: type.attributes,
      meta: { revision: 1 },
    });
    await put("other", { output_type: type });
    const taken = put("third", { output_type: { ...type, attributes: { b: { data_type: "string" } } } });
    await expect(taken).rejects.toMatchObject({ code: "type_conflict", errors: [{ pointer: "/output_type" }] });
    await expect(base.run("get_operation", { name: "third" })).rejects.toMatchObject({ code: "entity_not_found" });
  });

  test.each([
    ["implemented_at", { implemented_at: "nowhere:echo" }, "module_not_found"],
    ["implemented_at", { implemented_at: "echo:ecko" }, "module_not_found"],
    ["implemented_at", { implemented_at: "builtin:drop_everything" }, "module_not_found"],
    ["input_type", { input_type: "nothing" }, "definition_invalid"],
    ["input_type/pattern", { input_type: { type: "string", pattern: "(?=a)b" } }, "schema_unsupported"],
    ["environment", { environment: ["moon"] }, "definition_invalid"],
    ["secrets/0", { secrets: ["unknown"] }, "definition_invalid"],
    ["path", { path: "/people" }, "definition_invalid"],
    ["surprise", { surprise: 1 }, "definition_invalid"],
  ])("is refused, with a pointer, when %s cannot be honoured", async (pointer, more, code) => {
    await storeModule(base, "echo");
    const before = await base.registry.revision();
    await expect(put("demo", more)).rejects.toMatchObject({
      code,
      errors: [expect.objectContaining({ pointer: `/${pointer}` })],
    });
    expect(await base.registry.revision()).toBe(before);
  });

  test("keeps the code it has when its module or something else of it changes", async () => {
    const first = await storeModule(base, "echo");
    await put("demo");
    const second = await storeModule(base, "echo", { code: "export const echo = () => 2\n" });
    expect(first).not.toBe(second);
    const code = async () => (await base.registry.resolve("demo")).operation.implementation;
    expect(await code()).toMatchObject({ sha256: first });
    await base.run("edit_operation", { name: "demo", patch: { description: "new" } });
    expect(await code()).toMatchObject({ sha256: first });
    await base.run("edit_operation", { name: "demo", patch: { implemented_at: "echo:echo" } });
    expect(await code()).toMatchObject({ sha256: second });
  });

  test("runs an old revision with the code and the types it had", async () => {
    const first = await storeModule(base, "echo");
    await base.run("create_type", { name: "thing", schema: STRING_FIELD("a") });
    await put("demo", { input_type: "thing" });
    await storeModule(base, "echo", { code: "export const echo = () => 2\n" });
    await base.run("edit_type", { name: "thing", patch: { schema: { required: ["a", "b"] } } });
    await put("demo", { input_type: "thing" });
    expect(await accepts("demo", { a: "x" })).toBe(false);
    expect(await accepts("demo", { a: "x" }, 1)).toBe(true);
    expect((await base.registry.resolve("demo", { revision: 1 })).operation).toMatchObject({
      revision: 1,
      implementation: { sha256: first },
    });
    await expect(base.registry.resolve("demo", { revision: 99 })).rejects.toMatchObject({
      code: "operation_not_found",
    });
  });

  test("is switched off with all its revisions", async () => {
    await storeModule(base, "echo");
    await put("demo");
    await base.run("edit_operation", { name: "demo", patch: { active: false } });
    expect((await base.registry.resolve("demo", { revision: 1 })).operation.active).toBe(false);
  });

  test("is called by those who may call its group of now, in all its revisions", async () => {
    await storeModule(base, "echo");
    await put("demo", { group: "open" });
    await base.run("edit_operation", { name: "demo", patch: { group: "closed" } });
    expect((await base.registry.resolve("demo", { revision: 1 })).operation).toMatchObject({
      group: "closed",
      secretsGroup: "open",
    });
  });

  test("comes back by rollback as it was, and resolves nothing anew", async () => {
    const first = await storeModule(base, "echo");
    await put("demo", { description: "one" });
    await storeModule(base, "echo", { code: "export const echo = () => 2\n" });
    await put("demo", { description: "two" });
    expect(await base.run("rollback_operation", { name: "demo", to: 1 })).toMatchObject({
      description: "one",
      meta: { revision: 3, resolved: { code_sha256: first } },
    });
    expect((await base.registry.resolve("demo")).operation.implementation).toMatchObject({ sha256: first });
    const revisions = (await base.run("list_operation_revision", { name: "demo" })) as unknown as {
      items: { meta: Json }[];
    };
    expect(revisions.items.map(({ meta }) => meta["revision"])).toEqual([3, 2, 1]);
    await expect(base.run("rollback_operation", { name: "demo", to: 9 })).rejects.toMatchObject({
      code: "entity_not_found",
    });
  });

  test("comes back by rollback after it was deleted, to the next revision, for who may write it anew", async () => {
    const first = await storeModule(base, "echo");
    await put("demo", { description: "one" });
    await base.run("delete_operation", { name: "demo" });
    await expect(base.run("rollback_operation", { name: "demo", to: 9 })).rejects.toMatchObject({
      code: "entity_not_found",
    });
    await expect(base.run("rollback_operation", { name: "never", to: 1 })).rejects.toMatchObject({
      code: "entity_not_found",
    });
    const match = { name: "demo", to: 1, if_match: "another" };
    await expect(base.run("rollback_operation", match)).rejects.toMatchObject({ code: "precondition_failed" });
    expect(await base.run("rollback_operation", { name: "demo", to: 1 })).toMatchObject({
      description: "one",
      meta: { revision: 2, resolved: { code_sha256: first } },
    });
    expect((await base.registry.resolve("demo")).operation.implementation).toMatchObject({ sha256: first });
  });

  test("is duplicated with its code and the patch", async () => {
    const first = await storeModule(base, "echo");
    await put("demo");
    await storeModule(base, "echo", { code: "export const echo = () => 2\n" });
    const copy = await base.run("duplicate_operation", {
      name: "demo",
      patch: { name: "shout_demo", timeout_ms: 1000 },
    });
    expect(copy).toMatchObject({
      name: "shout_demo",
      timeout_ms: 1000,
      meta: { revision: 1, resolved: { code_sha256: first } },
    });
    await expect(
      base.run("duplicate_operation", { name: "demo", patch: { name: "shout_demo" } }),
    ).rejects.toMatchObject({ code: "entity_exists" });
  });

  test("goes on counting revisions when its name is used again", async () => {
    await storeModule(base, "echo");
    await put("demo");
    await base.run("delete_operation", { name: "demo" });
    await expect(base.registry.resolve("demo")).rejects.toMatchObject({ code: "operation_not_found" });
    expect((await put("demo")).meta.revision).toBe(2);
  });

  test("is not written again when nothing changes", async () => {
    await storeModule(base, "echo");
    const { digest } = (await put("demo")).meta;
    const before = await base.registry.revision();
    expect((await put("demo")).meta).toMatchObject({ revision: 1, digest });
    expect(await base.registry.revision()).toBe(before);
  });

  test("suggests the nearest name for one that is not there", async () => {
    await storeModule(base, "echo");
    await put("my_demo_operation");
    await expect(base.registry.resolve("my_demo_operatoin")).rejects.toMatchObject({
      hint: 'Did you mean "my_demo_operation"?',
    });
  });
});

describe("a type", () => {
  test("takes everything that names it along when it is edited, also by way of other types, and nothing else", async () => {
    await storeModule(base, "echo");
    await base.run("create_type", { name: "inner", schema: STRING_FIELD("a") });
    await base.run("create_type", { name: "outer", schema: { type: "array", items: { $ref: "type:inner" } } });
    await base.run("create_type", { name: "apart", schema: true });
    await put("direct", { input_type: "inner" });
    await put("indirect", { input_type: "outer" });
    await put("in_place", { input_type: { type: "object", properties: { x: { $ref: "type:outer" } } } });
    await put("unrelated", { input_type: "apart" });
    expect(await accepts("indirect", [{ a: "x" }])).toBe(true);
    const { digest } = (await base.registry.resolve("indirect")).operation;
    await base.run("put_type", { name: "inner", schema: STRING_FIELD("b") });
    const revisions = await Promise.all(
      ["direct", "indirect", "in_place", "unrelated"].map(
        async (name) => (await base.registry.resolve(name)).operation.revision,
      ),
    );
    expect(revisions).toEqual([2, 2, 2, 1]);
    expect((await base.registry.resolve("indirect")).operation.digest).not.toBe(digest);
    expect(await accepts("indirect", [{ a: "x" }])).toBe(false);
    expect(await accepts("in_place", { x: [{ b: "x" }] })).toBe(true);
    const log = (await base.run("list_change", { limit: 6 })) as unknown as { items: Json[] };
    expect(log.items.map(({ name, action }) => `${String(action)} ${String(name)}`).toSorted()).toEqual([
      "create unrelated",
      "edit inner",
      "ripple direct",
      "ripple in_place",
      "ripple indirect",
      "ripple outer",
    ]);
  });

  test("is not deleted while something uses it, and the refusal names the users", async () => {
    await storeModule(base, "echo", { exports: { echo: echoTypes("echo_output") } });
    await put("demo");
    await expect(base.run("delete_type", { name: "echo_input" })).rejects.toMatchObject({
      code: "entity_in_use",
      message: expect.stringContaining('operation "demo"'),
    });
    await base.run("delete_operation", { name: "demo" });
    await base.run("delete_type", { name: "echo_input" });
    await expect(base.run("get_type", { name: "echo_input" })).rejects.toMatchObject({ code: "entity_not_found" });
  });

  test("comes back by rollback for those who name it and for those who reach it through another alike", async () => {
    await base.run("create_type", { name: "inner", schema: { type: "string" } });
    await base.run("create_type", { name: "middle", attributes: { x: { data_type: "inner" } } });
    await base.run("create_type", { name: "outer", attributes: { y: { data_type: "middle" } } });
    await storeModule(base, "echo");
    await put("near", { input_type: "middle" });
    await put("far", { input_type: "outer" });
    await base.run("edit_type", { name: "inner", patch: { schema: { type: "integer" } } });
    await base.run("edit_type", { name: "middle", patch: { description: "edited" } });
    await base.run("rollback_type", { name: "middle", to: 1 });
    // What `middle` names is as it is now; what it says itself is as it was.
    expect((await base.run("get_type", { name: "middle" }))["description"]).toBe("");
    expect(await accepts("near", { x: 1 })).toBe(true);
    expect(await accepts("far", { y: { x: 1 } })).toBe(true);
    expect(await accepts("near", { x: "text" })).toBe(false);
    expect(await accepts("far", { y: { x: "text" } })).toBe(false);
  });

  test("keeps members whose names every object has, and edits them", async () => {
    await base.run("create_type", { name: "car", attributes: { constructor: { data_type: "string" } } });
    await base.run("edit_type", { name: "car", patch: { attributes: { prototype: { data_type: "int" } } } });
    expect((await base.run("get_type", { name: "car" }))["attributes"]).toEqual({
      constructor: { data_type: "string" },
      prototype: { data_type: "int" },
    });
    await storeModule(base, "echo");
    await put("demo", { input_type: "car" });
    expect(await accepts("demo", { constructor: "c", prototype: 1 })).toBe(true);
    expect(await accepts("demo", { prototype: 1 })).toBe(false);
  });

  test("from code may be changed by its module, until somebody names it", async () => {
    const changed = { input: { name: "echo_input", schema: STRING_FIELD("other") }, output: { schema: true } };
    await storeModule(base, "echo", { exports: { echo: echoTypes("echo_output") } });
    await put("demo");
    await storeModule(base, "echo", { exports: { echo: changed } });
    // The operation is closed over what the code said when it was written.
    expect(await accepts("demo", { input_str: "x" })).toBe(true);
    await put("demo", { input_type: "echo_input" });
    const again = storeModule(base, "echo", { exports: { echo: echoTypes("echo_output") } });
    await expect(again).rejects.toMatchObject({
      code: "type_conflict",
      message: expect.stringContaining('operation "demo"'),
    });
    const foreign = storeModule(base, "another", { exports: { echo: echoTypes("echo_output") } });
    await expect(foreign).rejects.toMatchObject({ code: "type_conflict" });
  });
});

describe("writing", () => {
  test("refuses the second of two edits with one ETag", async () => {
    await storeModule(base, "echo");
    const { digest } = (await put("demo")).meta;
    const edit = (description: string) =>
      base.run("edit_operation", { name: "demo", patch: { description }, if_match: digest });
    const results = await Promise.allSettled([edit("a"), edit("b")]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(results.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "precondition_failed" },
    });
  });

  test("takes if_match * for whatever is there, and anything else that is no digest for a stale one", async () => {
    for (const if_match of ["*", "abc"]) {
      await expect(base.run("put_type", { name: "t", schema: true, if_match })).rejects.toMatchObject({
        code: "precondition_failed",
      });
    }
    await base.run("put_type", { name: "t", schema: true });
    await base.run("put_type", { name: "t", schema: false, if_match: "*" });
    await expect(base.run("delete_type", { name: "t", if_match: "abc" })).rejects.toMatchObject({
      code: "precondition_failed",
    });
  });

  test("honours If-None-Match: *", async () => {
    await base.run("put_type", { name: "t", schema: true, if_none_match: "*" });
    await expect(base.run("put_type", { name: "t", schema: false, if_none_match: "*" })).rejects.toMatchObject({
      code: "precondition_failed",
    });
    await expect(base.run("create_type", { name: "t", schema: false })).rejects.toMatchObject({
      code: "entity_exists",
    });
  });

  test("lands 20 writers at once, each at a place of its own in the change log", async () => {
    const before = await base.registry.revision();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        base.another().write({ action: "create", kind: "type", manifest: { name: `t${index}`, schema: true } }, ADMIN),
      ),
    );
    expect(results.map(({ registryRevision }) => registryRevision).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, index) => before + 1 + index),
    );
  });

  test("needs secrets:use and the secret's group to point code at a secret", async () => {
    await storeModule(base, "echo");
    await base.run("create_secret", { name: "key", value: "v", groups: ["pay"] });
    const write = (more: Json, principal: Principal) =>
      base.run("put_operation", { name: "demo", implemented_at: "echo:echo", secrets: ["key"], ...more }, principal);
    await expect(write({ group: "pay" }, WRITER)).rejects.toMatchObject({ code: "forbidden" });
    await expect(write({ group: "other" }, ADMIN)).rejects.toMatchObject({
      code: "definition_invalid",
      errors: [{ pointer: "/secrets/0" }],
    });
    await write({ group: "pay" }, { ...WRITER, scopes: ["registry:write", "secrets:use"] });
    await write({ group: "pay", secrets: [] }, ADMIN);
    const back = base.run("rollback_operation", { name: "demo", to: 1 }, WRITER);
    await expect(back).rejects.toMatchObject({ code: "forbidden" });
    const copy = base.run("duplicate_operation", { name: "demo", patch: { name: "copy", secrets: ["key"] } }, WRITER);
    await expect(copy).rejects.toMatchObject({ code: "forbidden" });
    await expect(base.run("delete_secret", { name: "unknown" })).rejects.toMatchObject({ code: "entity_not_found" });
  });

  test("refuses an environment whose adapter is not installed, or would ignore its configuration", async () => {
    await expect(base.run("create_environment", { name: "e", adapter: "lambda" })).rejects.toMatchObject({
      errors: [{ pointer: "/adapter" }],
    });
    await expect(
      base.run("create_environment", { name: "e", adapter: "inline", config: { a: 1 } }),
    ).rejects.toMatchObject({ code: "setting_unsupported" });
  });

  test("refuses to rename, to store code under a wrong hash, and the platform's own module name", async () => {
    await storeModule(base, "echo");
    await put("demo");
    await expect(base.run("edit_operation", { name: "demo", patch: { name: "x" } })).rejects.toMatchObject({
      code: "definition_invalid",
    });
    await expect(base.registry.putModuleCode("0".repeat(64), new Uint8Array([1]))).rejects.toMatchObject({
      code: "module_hash_mismatch",
    });
    await expect(storeModule(base, "builtin")).rejects.toMatchObject({ code: "definition_invalid" });
    await expect(storeModule(base, "nul", { code: "export const a = '\0'" })).rejects.toMatchObject({
      code: "definition_invalid",
    });
  });
});
