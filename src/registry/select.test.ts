import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fixture, storeModule, type Fixture } from "./_fixture.node.ts";
import type { Selection } from "./select.ts";
import type { Json } from "./schema.ts";

let base: Fixture;
beforeEach(async () => {
  base = await fixture({ builtins: true });
  await storeModule(base, "echo");
  await put("a_demo", { group: "demo" });
  await put("b_other", { group: "other" });
  await put("c_demo", { group: "demo", annotations: { read_only: true } });
  await base.run("duplicate_operation", { name: "get_type", patch: { name: "d_copy", group: "demo" } });
});
afterEach(() => base.close());

const put = (name: string, more: Json = {}) =>
  base.run("put_operation", { name, implemented_at: "echo:echo", ...more });
const ALL: Selection = { groups: undefined, functions: ["get_type", "list_type"], builtins: false };
const names = async (selection: Partial<Selection>, page: { limit?: number; cursor?: string } = {}) =>
  (await base.registry.selectOperations({ ...ALL, ...selection, limit: page.limit ?? 100, cursor: page.cursor })).map(
    ({ name }) => name,
  );

describe("selectOperations()", () => {
  test("leaves out the platform's functions under their own names, but not copies of them", async () => {
    expect(await names({})).toEqual(["a_demo", "b_other", "c_demo", "d_copy"]);
    expect(await names({ functions: [] })).toEqual(["a_demo", "b_other", "c_demo"]);
    expect(await names({ builtins: true })).toEqual(["a_demo", "b_other", "c_demo", "d_copy", "get_type", "list_type"]);
  });

  test("answers only groups that were asked for, and only what is active", async () => {
    expect(await names({ groups: ["demo"] })).toEqual(["a_demo", "c_demo", "d_copy"]);
    expect(await names({ groups: ["demo", "other"], functions: [] })).toEqual(["a_demo", "b_other", "c_demo"]);
    expect(await names({ groups: [] })).toEqual([]);
    await base.run("edit_operation", { name: "a_demo", patch: { active: false } });
    expect(await names({ groups: ["demo"] })).toEqual(["c_demo", "d_copy"]);
  });

  test("goes on after the cursor, also where that name is gone", async () => {
    expect(await names({}, { limit: 2 })).toEqual(["a_demo", "b_other"]);
    await base.run("delete_operation", { name: "b_other" });
    expect(await names({}, { cursor: "b_other" })).toEqual(["c_demo", "d_copy"]);
  });
});

describe("describeOperations()", () => {
  test("answers annotations, also of rows from before there were any", async () => {
    await base.client.execute(
      "UPDATE entities SET manifest = json_remove(manifest, '$.annotations') WHERE name = 'a_demo'",
    );
    const found = await base.registry.describeOperations({ names: ["a_demo", "c_demo", "none"] });
    const hints = Object.fromEntries(found.map(({ operation }) => [operation.name, operation.annotations]));
    expect(hints).toEqual({ a_demo: null, c_demo: expect.objectContaining({ read_only: true, destructive: null }) });
  });
});

describe("fingerprint()", () => {
  const DEMO: Selection = { ...ALL, groups: ["demo"] };
  const CHANGES: [string, differs: boolean, () => Promise<unknown>][] = [
    ["an edit", true, () => base.run("edit_operation", { name: "a_demo", patch: { description: "new" } })],
    ["a new one", true, () => put("z_demo", { group: "demo" })],
    ["a deletion", true, () => base.run("delete_operation", { name: "a_demo" })],
    ["one switched off", true, () => base.run("edit_operation", { name: "a_demo", patch: { active: false } })],
    ["one that leaves the group", true, () => base.run("edit_operation", { name: "a_demo", patch: { group: "x" } })],
    ["an edit in another group", false, () => base.run("edit_operation", { name: "b_other", patch: { batch: true } })],
    ["a new type", false, () => base.run("put_type", { name: "t", schema: true })],
  ];
  test.each(CHANGES)("after %s it differs: %s", async (_what, differs, change) => {
    const before = await base.registry.fingerprint(DEMO);
    base.clock.now += 1_000;
    await change();
    expect((await base.registry.fingerprint(DEMO)) !== before).toBe(differs);
  });

  test("differs after one was deleted and another created in its place", async () => {
    const before = await base.registry.fingerprint(DEMO);
    base.clock.now += 1_000;
    await base.run("delete_operation", { name: "a_demo" });
    await put("z_demo", { group: "demo" });
    expect(await base.registry.fingerprint(DEMO)).not.toBe(before);
  });
});
