import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ADMIN, fixture, storeModule, type Fixture } from "./_fixture.node.ts";
import type { Registry } from "./registry.ts";
import type { Json } from "./schema.ts";

const TYPE = { type: "object", properties: { id: { type: "string" }, pet: { type: "string" } } };

let base: Fixture;
beforeEach(async () => {
  base = await fixture();
  await storeModule(base, "echo");
});
afterEach(() => base.close());

const put = (name: string, path: string | null, more: Json = {}) =>
  base.run("put_operation", { name, implemented_at: "echo:echo", input_type: TYPE, path, ...more });
const at = async (path: string, registry: Registry = base.registry): Promise<string | undefined> =>
  (await registry.restPaths()).match("GET", path.slice(1).split("/"))?.operation;

const copy = (patch: Json) => base.run("duplicate_operation", { name: "one", patch });
const taken = (name: string) => ({
  code: "path_taken",
  errors: [{ pointer: "/path" }],
  message: expect.stringContaining(`"${name}" has it`) as string,
});

describe("a path is one operation's", () => {
  test("by put, edit and rollback", async () => {
    await put("one", "GET /people/{id}");
    const before = await base.registry.revision();
    await expect(put("two", "GET /people/{pet}")).rejects.toMatchObject(taken("one"));
    await put("two", null);
    const edit = base.run("edit_operation", { name: "two", patch: { path: "GET /people/{id}" } });
    await expect(edit).rejects.toMatchObject(taken("one"));
    await put("one", null);
    await put("two", "GET /people/{id}");
    await expect(base.run("rollback_operation", { name: "one", to: 1 })).rejects.toMatchObject(taken("two"));
    await base.run("delete_operation", { name: "two" });
    await base.run("rollback_operation", { name: "one", to: 1 });
    expect(await at("/people/a")).toBe("one");
    expect(await base.registry.revision()).toBe(before + 5);
  });

  test("and another method, or a segment that is written out, is another path", async () => {
    await put("one", "GET /people/{id}");
    await put("two", "POST /people/{id}");
    await put("three", "GET /people/me");
    await put("one", "GET /people/{pet}", { description: "its own path is no obstacle" });
    expect([await at("/people/a"), await at("/people/me")]).toEqual(["one", "three"]);
  });

  test("so that a copy has none until it is given one", async () => {
    await put("one", "GET /people/{id}");
    expect(await copy({ name: "two" })).toMatchObject({ path: null });
    expect(await copy({ name: "three", path: "GET /pets/{id}" })).toMatchObject({ path: "GET /pets/{id}" });
    await expect(copy({ name: "four", path: "GET /people/{id}" })).rejects.toMatchObject(taken("one"));
  });

  test("of two who want it at once, one gets it", async () => {
    const results = await Promise.allSettled([put("one", "GET /x"), put("two", "GET /x")]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });
});

describe("parameters are properties of the input type", () => {
  test.each<[string, unknown]>([
    ["any type", true],
    ["an open type that does not name it", { type: "object" }],
    ["a type without it", { properties: { person: true }, additionalProperties: true }],
    ["a type that excludes it", { properties: { id: false } }],
  ])("and are refused for %s", async (_what, input_type) => {
    await expect(put("one", "GET /people/{id}", { input_type })).rejects.toMatchObject({
      code: "definition_invalid",
      errors: [{ pointer: "/path" }],
    });
  });

  test("also when a type is edited later", async () => {
    await base.run("put_type", { name: "person", schema: TYPE });
    await put("one", "GET /people/{id}", { input_type: "person" });
    const edit = base.run("put_type", { name: "person", schema: { ...TYPE, properties: {} } });
    await expect(edit).rejects.toMatchObject({
      code: "definition_invalid",
      message: expect.stringMatching(/operation "one" must still be sound.*\{id\} is none/) as string,
    });
    const wider = { ...TYPE, properties: { ...TYPE.properties, more: true } };
    await base.run("put_type", { name: "person", schema: wider });
    expect(await at("/people/a")).toBe("one");
  });

  test("a batch has no path", async () => {
    await expect(put("one", "GET /x", { batch: true })).rejects.toMatchObject({ code: "setting_unsupported" });
  });
});

describe("the table of paths", () => {
  test("follows this process at once, and others within a second", async () => {
    const other = base.another();
    await put("one", "GET /x");
    expect([await at("/x"), await at("/x", other)]).toEqual(["one", "one"]);
    await base.run("edit_operation", { name: "one", patch: { path: "GET /y" } });
    expect([await at("/x"), await at("/y")]).toEqual([undefined, "one"]);
    expect([await at("/x", other), await at("/y", other)]).toEqual(["one", undefined]);
    base.clock.now += 1_001;
    expect([await at("/x", other), await at("/y", other)]).toEqual([undefined, "one"]);
  });

  test("shows a path to who asks for the revision that made it", async () => {
    const other = base.another();
    expect(await at("/x", other)).toBeUndefined();
    await put("one", "GET /x");
    const minRegistryRevision = await base.registry.revision();
    expect((await other.restPaths({ minRegistryRevision })).methods(["x"])).toEqual(["GET"]);
  });

  test("reads nothing while nothing changes, and only what changed", async () => {
    for (const name of ["one", "two", "three"]) await put(name, `GET /${name}`);
    const read: string[] = [];
    const database = new Proxy(base.database, {
      get(target, key, receiver) {
        if (key === "select") read.push("select");
        return Reflect.get(target, key, receiver) as unknown;
      },
    });
    const reader = base.another({ database });
    await at("/one", reader);
    read.length = 0;
    for (let time = 0; time < 10; time++) expect(await at("/one", reader)).toBe("one");
    expect(read).toEqual([]);
    await reader.write({ action: "edit", kind: "operation", name: "one", patch: { path: "GET /two/x" } }, ADMIN);
    read.length = 0;
    expect([await at("/one", reader), await at("/two/x", reader)]).toEqual([undefined, "one"]);
    expect(read).toEqual(["select"]);
  });

  test("is read whole after very many changes", async () => {
    await at("/x");
    for (let number = 0; number < 60; number++) await put("one", `GET /x${number}`);
    expect([await at("/x0"), await at("/x59")]).toEqual([undefined, "one"]);
  });
});
