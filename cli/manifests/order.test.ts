import { expect, test } from "vitest";
import type { Kind } from "../../src/model/entities.ts";
import { inOrder } from "./order.ts";

const document = (kind: Kind, name: string, content: unknown = {}) => ({
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

test("inOrder() goes by what services and operations name, and not by their kinds alone", () => {
  const ordered = inOrder([
    document("operation", "list_albums", { provided_by: { exposure: "door", path: "/albums" } }),
    document("exposure", "door", { service: "albums" }),
    document("service", "albums", { state_machine: "asked", operations: { start: "begin", stop: "stop_replica" } }),
    document("state_machine", "asked", {
      transitions: [{ when: { all: [{ not: { operation: "is_open", input: {} } }] } }],
    }),
    document("operation", "begin", { provided_by: null }),
    document("operation", "is_open"),
    document("environment", "rack"),
  ]);
  const names = ["rack", "is_open", "asked", "begin", "albums", "door", "list_albums"];
  expect(ordered.map(({ name }) => name)).toEqual(names);
});
