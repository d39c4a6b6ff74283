/** What a registry lists: filters with every operator, pages by cursor, the description of all operations. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, startDev, type Dev } from "./_platform.ts";
import { registryOf, type Json, type Page } from "./_registry.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  await install(dev, "identity", "export function identity(input) { return input; }");
});
afterAll(() => dev.stop());

const { send, done, list } = registryOf(() => dev);

function query(path: string, filter: Json, more = ""): string {
  return `${path}?filter=${encodeURIComponent(JSON.stringify(filter))}${more}`;
}

describe("lists", () => {
  const names = Array.from({ length: 130 }, (_, n) => `page_${String(n).padStart(3, "0")}`);

  beforeAll(async () => {
    for (const [n, name] of names.entries())
      await done("PUT", `/registry/types/${name}`, { schema: true, description: n < 2 ? "early" : "" });
    await done("PATCH", "/registry/types/page_001", { description: "Early_2" });
    await done("PATCH", "/registry/types/page_001", { assert_formats: true });
  });

  it.each(['{"name":', "[]", '{"limit":3}', '{"cursor":"x"}', "null"])("refuse the filter %s", async (filter) => {
    const answer = await dev.request(`/registry/types?filter=${encodeURIComponent(filter)}`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "bad_request" });
  });

  it.each([
    ["$eq", { name: { op: "$eq", value: "page_007" } }, ["page_007"]],
    ["a bare value", { name: "page_007" }, ["page_007"]],
    ["$eq of a boolean", { assert_formats: { op: "$eq", value: true } }, ["page_001"]],
    ["$ne", { description: { op: "$ne", value: "" } }, ["page_000", "page_001"]],
    ["$in", { name: { op: "$in", value: ["page_005", "page_003", "none"] } }, ["page_003", "page_005"]],
    ["$in of nothing", { name: { op: "$in", value: [] } }, []],
    ["$gt", { name: { op: "$gt", value: "page_127" } }, ["page_128", "page_129"]],
    ["$gte", { name: { op: "$gte", value: "page_128" } }, ["page_128", "page_129"]],
    ["$lt", { name: { op: "$lt", value: "page_002" } }, ["page_000", "page_001"]],
    ["$lte", { name: { op: "$lte", value: "page_001" } }, ["page_000", "page_001"]],
    ["$gt of a number", { revision: { op: "$gt", value: 1 } }, ["page_001"]],
    ["$like", { name: { op: "$like", value: "page%9" } }, names.filter((name) => name.endsWith("9"))],
    ["$like with one character", { name: { op: "$like", value: "page_00_" } }, names.slice(0, 10)],
    ["two conditions", { revision: { op: "$lt", value: 3 }, description: "early" }, ["page_000"]],
  ])("filter by %s", async (_what, filter, expected) => {
    const items: string[] = [];
    for (const item of (await list(query("/registry/types", filter, "&limit=1000"))).items)
      if (item.name.startsWith("page_")) items.push(item.name);
    expect(items).toEqual(expected);
    const { body } = await dev.call("list_type", { ...filter, limit: 1000 });
    expect((body as Page).items.map(({ name }) => name).filter((name) => name.startsWith("page_"))).toEqual(expected);
  });

  it.each([
    ["an operator that there is not", { name: { op: "$regex", value: "x" } }],
    ["a field that there is not", { nome: "x" }],
    ["a field inside a field", { "schema.type": "x" }],
    ["text that would be SQL", { "name') OR 1=1 --": "x" }],
  ])("filter by %s is refused", async (_what, filter) => {
    expect(await send("GET", query("/registry/types", filter))).toMatchObject({
      status: 422,
      body: { code: "input_invalid" },
    });
  });

  it("pages by cursor: 100 unless asked, each entry once, in the order of names, whatever is written in between", async () => {
    const filter = { name: { op: "$like", value: "page%" } };
    const first = await list(query("/registry/types", filter));
    expect(first.items.map(({ name }) => name)).toEqual(names.slice(0, 100));
    const seen = first.items.map(({ name }) => name);
    await done("PATCH", "/registry/types/page_000", { description: "changed while paging" });
    for (let cursor = first.next_cursor; cursor !== null;) {
      const next = await list(query("/registry/types", filter, `&limit=7&cursor=${encodeURIComponent(cursor)}`));
      expect(next.items.length).toBeLessThanOrEqual(7);
      seen.push(...next.items.map(({ name }) => name));
      cursor = next.next_cursor;
    }
    expect(seen).toEqual(names);
  });

  it.each(["limit=0", "limit=1001", "limit=-1", "limit=x"])("?%s is refused", async (parameter) => {
    expect([400, 422]).toContain((await send("GET", `/registry/types?${parameter}`)).status);
  });

  it("/openapi.json pages through the operations, each once, with its types", async () => {
    await done("PUT", "/registry/types/greeting", { attributes: { text: { data_type: "string" } } });
    for (let n = 0; n < 5; n++) {
      const row = { implemented_at: "identity:identity", group: "paged", input_type: "greeting", active: n !== 2 };
      await done("PUT", `/registry/operations/paged_${n}`, row);
    }
    const paths: string[] = [];
    let pages = 0;
    for (let cursor: unknown = ""; typeof cursor === "string"; pages++) {
      const { body } = await done(
        "GET",
        `/openapi.json?group=paged&limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      const entries = Object.entries(body["paths"] as Record<string, Json>).filter(([path]) => path.includes("paged_"));
      for (const [path, item] of entries) {
        paths.push(path);
        expect(JSON.stringify(item)).toContain('"text":{"type":"string"');
      }
      cursor = body["x-next-cursor"];
    }
    expect([paths, pages]).toEqual([["/ops/paged_0", "/ops/paged_1", "/ops/paged_3", "/ops/paged_4"], 2]);
  });
});
