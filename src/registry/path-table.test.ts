import { expect, it } from "vitest";
import { restPathOf, type RestMethod } from "../model/rest-path.ts";
import { PathTable } from "./path-table.ts";

function tableOf(paths: Record<string, string>): PathTable {
  const table = new PathTable();
  for (const [operation, path] of Object.entries(paths)) table.set(operation, restPathOf(path));
  return table;
}

const found = (table: PathTable, method: RestMethod, path: string): unknown => {
  const match = table.match(method, path.slice(1).split("/"));
  return match === undefined ? undefined : [match.operation, Object.fromEntries(match.parameters)];
};

const TABLE = tableOf({
  list: "GET /people",
  me: "GET /people/me",
  one: "GET /people/{id}",
  save: "PUT /people/{id}",
  deep: "GET /people/{id}/pets/{pet}",
  mine: "GET /people/me/pets",
  dog: "GET /people/me/{what}/dog",
});

it.each<[RestMethod, string, unknown]>([
  ["GET", "/people", ["list", {}]],
  ["GET", "/people/me", ["me", {}]],
  ["GET", "/people/you", ["one", { id: "you" }]],
  ["PUT", "/people/me", ["save", { id: "me" }]],
  ["GET", "/people/a/pets/b", ["deep", { id: "a", pet: "b" }]],
  ["GET", "/people/me/pets", ["mine", {}]],
  ["GET", "/people/me/pets/dog", ["dog", { what: "pets" }]],
  ["GET", "/people/me/pets/cat", ["deep", { id: "me", pet: "cat" }]],
  ["GET", "/people/constructor", ["one", { id: "constructor" }]],
  ["GET", "/people/", undefined],
  ["GET", "/people/a/pets/", undefined],
  ["GET", "/people/a/b", undefined],
  ["DELETE", "/people", undefined],
  ["GET", "/", undefined],
  ["GET", "/toString", undefined],
])("PathTable.match() of %s %s finds %j", (method, path, expected) => {
  expect(found(TABLE, method, path)).toEqual(expected);
});

it("PathTable.methods() are those that something answers", () => {
  expect(TABLE.methods(["people", "me"])).toEqual(["GET", "PUT"]);
  expect(TABLE.methods(["nobody"])).toEqual([]);
});

it("PathTable.set() moves a path from one operation to another, in any order", () => {
  const table = tableOf({ a: "GET /x", b: "GET /y" });
  table.set("b", restPathOf("GET /x"));
  table.set("a", restPathOf("GET /y"));
  expect([found(table, "GET", "/x"), found(table, "GET", "/y")]).toEqual([
    ["b", {}],
    ["a", {}],
  ]);
  table.set("a", undefined);
  expect([found(table, "GET", "/x"), found(table, "GET", "/y")]).toEqual([["b", {}], undefined]);
});
