/** More operations than one query reads: all of them, each once, in order, and again only what changed. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { sql } from "drizzle-orm";
import { fixture, storeModule, type Fixture } from "../../registry/_fixture.node.ts";
import type { Wanted } from "../../registry/describe.ts";
import type { Registry } from "../../registry/registry.ts";
import { piecesOf } from "./pieces.ts";

let base: Fixture;
let registry: Registry;
let reads: Wanted[];
beforeEach(async () => {
  base = await fixture();
  await storeModule(base, "echo");
  await base.run("put_operation", { name: "many_0", implemented_at: "echo:echo", group: "many" });
  await base.database.run(sql`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2499)
    INSERT INTO entities SELECT kind, 'many_' || i, revision, digest || i, json_set(manifest, '$.name', 'many_' || i),
      resolved, created_at, updated_at, updated_by FROM n, entities WHERE name = 'many_0'`);
  reads = [];
  registry = {
    ...base.registry,
    describeOperations(wanted) {
      reads.push(wanted);
      return base.registry.describeOperations(wanted);
    },
  };
});
afterEach(() => base.close());

it("piecesOf() reads everything once, a thousand at a time", async () => {
  const names = Array.from({ length: 2_500 }, (_, number) => `many_${number}`).toSorted();
  const first = await piecesOf(registry, {});
  expect([first.pieces.map(({ name }) => name), first.nextCursor]).toEqual([names, null]);
  expect(reads.map((wanted) => ("cursor" in wanted ? wanted.cursor : undefined))).toEqual([
    undefined,
    names[999],
    names[1_999],
  ]);
  await base.run("edit_operation", { name: "many_7", patch: { description: "new" } });
  const again = await piecesOf(registry, {});
  expect(reads.slice(3)).toEqual([{ names: ["many_7"] }]);
  expect(again.pieces.map(({ name }) => name)).toEqual(names);
  expect(again.pieces.filter((piece, place) => piece !== first.pieces[place])).toMatchObject([{ name: "many_7" }]);
});

it("piecesOf() of a page, and of a group, has these and no other", async () => {
  const page = await piecesOf(registry, { limit: 2, cursor: "many_1" });
  expect([page.pieces.map(({ name }) => name), page.nextCursor]).toEqual([["many_10", "many_100"], "many_100"]);
  expect((await piecesOf({ ...registry }, { group: "none" })).pieces).toEqual([]);
  expect((await piecesOf({ ...registry }, { group: "many", cursor: "many_998" })).pieces).toHaveLength(1);
});
