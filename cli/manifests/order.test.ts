import { expect, test } from "vitest";
import { inOrder } from "./order.ts";

const document = (kind: "type" | "module" | "operation" | "environment", name: string, content: unknown = {}) => ({
  kind,
  name,
  content,
});

test("inOrder() writes what is named before what names it", () => {
  const ordered = inOrder([
    document("operation", "op"),
    document("environment", "env"),
    document("type", "outer", { attributes: { a: { data_type: "middle" } } }),
    document("module", "mod"),
    document("type", "middle", { schema: { properties: { x: { $ref: "#/types/inner" } } } }),
    document("type", "inner", { schema: true }),
  ]);
  expect(ordered.map(({ name }) => name)).toEqual(["inner", "middle", "outer", "mod", "env", "op"]);
});

test("inOrder() ends where types name each other", () => {
  const ordered = inOrder([
    document("type", "a", { schema: { $ref: "b" } }),
    document("type", "b", { schema: { $ref: "a" } }),
  ]);
  expect(ordered.map(({ name }) => name).toSorted()).toEqual(["a", "b"]);
});
