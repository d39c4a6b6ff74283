import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fixture, storeModule, STRING_FIELD, type Fixture } from "../_fixture.node.ts";
import type { Json } from "../schema.ts";

let base: Fixture;
beforeEach(async () => {
  base = await fixture();
  await storeModule(base, "echo");
});
afterEach(() => base.close());

const put = (examples: unknown, more: Json = {}) =>
  base.run("put_operation", {
    name: "demo",
    implemented_at: "echo:echo",
    input_type: STRING_FIELD("a"),
    output_type: STRING_FIELD("b"),
    examples,
    ...more,
  });

describe("examples of an operation", () => {
  test("are stored as they were given", async () => {
    const examples = [
      { summary: "short", input: { a: "x" } },
      { input: { a: "y" }, output: { b: "z" } },
    ];
    expect(await put(examples)).toMatchObject({ examples });
    expect(await put(undefined)).toMatchObject({ examples: [] });
  });

  test.each<[string, unknown]>([
    ["/examples/0/input/a", [{ input: { a: 1 } }]],
    ["/examples/0/input", [{ input: null }]],
    ["/examples/1/output", [{ input: { a: "x" } }, { input: { a: "x" }, output: {} }]],
    ["/examples/0/output", [{ input: { a: "x" }, output: null }]],
    ["/examples/0/input", [{ output: { b: "x" } }]],
    ["/examples", Array.from({ length: 17 }, () => ({ input: { a: "x" } }))],
    ["/examples", [{ input: { a: "x".repeat(70_000) } }]],
    ["/examples/0/note", [{ input: { a: "x" }, note: "?" }]],
  ])("are refused at %s", async (pointer, examples) => {
    await expect(put(examples)).rejects.toMatchObject({
      code: "definition_invalid",
      errors: [expect.objectContaining({ pointer })],
    });
  });

  test("of a batch are those of one item", async () => {
    expect(await put([{ input: { a: "x" } }], { batch: true })).toMatchObject({ batch: true });
    await expect(put([{ input: [{ a: "x" }] }], { batch: true })).rejects.toMatchObject({ code: "definition_invalid" });
  });

  test("hold a type to what they show", async () => {
    await base.run("put_type", { name: "shown", schema: STRING_FIELD("a") });
    await put([{ input: { a: "x" } }], { input_type: "shown" });
    await expect(base.run("put_type", { name: "shown", schema: { type: "integer" } })).rejects.toMatchObject({
      message: expect.stringMatching(/operation "demo" must still be sound.*\/examples\/0\/input/) as string,
      errors: [{ pointer: "/examples/0/input" }],
    });
  });
});
