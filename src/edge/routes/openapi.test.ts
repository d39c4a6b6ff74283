/** The route over a real registry: what it caches, what it reads again, and that neither is ever old. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { fixture, storeModule, STRING_FIELD, type Fixture } from "../../registry/_fixture.node.ts";
import type { Registry } from "../../registry/registry.ts";
import { createApp } from "../app.ts";
import type { Platform } from "../context.ts";

type Document = { paths: Record<string, Record<string, { summary: string }>>; "x-next-cursor"?: string };

let base: Fixture;
let token: string;
let reads: string[][];
let get: (query?: string, headers?: Record<string, string>) => Promise<Response>;

beforeEach(async () => {
  base = await fixture();
  await storeModule(base, "echo");
  for (const name of ["one", "two", "three"]) await put(name);
  ({ token } = (await base.run("create_token", { name: "reader", scopes: ["registry:read"] })) as unknown as {
    token: string;
  });
  reads = [];
  const { registry } = base;
  const counted: Registry = {
    ...registry,
    async describeOperations(wanted) {
      const found = await registry.describeOperations(wanted);
      reads.push(found.map(({ operation }) => operation.name));
      return found;
    },
  };
  const app = createApp({ registry: counted, version: "1" } as unknown as Platform);
  get = async (query = "", headers = {}) =>
    app.request(`http://x/openapi.json${query}`, { headers: { authorization: `Bearer ${token}`, ...headers } });
});
afterEach(() => base.close());

const put = (name: string, more: Record<string, unknown> = {}) =>
  base.run("put_operation", { name, implemented_at: "echo:echo", group: name, input_type: STRING_FIELD("a"), ...more });
const operationsOf = async (response: Response): Promise<string[]> => {
  expect(response.status).toBe(200);
  const { paths } = (await response.json()) as Document;
  return Object.keys(paths).filter((path) => /^\/ops\/[a-z]/.test(path));
};

it("GET /openapi.json has every active operation in one answer, and pages where it is asked to", async () => {
  await put("two", { active: false });
  await put("four", { path: "GET /fours/{a}" });
  expect(await operationsOf(await get())).toEqual(["/ops/four", "/ops/one", "/ops/three"]);
  expect(await operationsOf(await get("?group=one"))).toEqual(["/ops/one"]);
  const first = (await (await get("?limit=2")).json()) as Document;
  expect([first["x-next-cursor"], Object.keys(first.paths)]).toEqual([
    "one",
    expect.arrayContaining(["/ops/four", "/ops/one", "/fours/{a}"]),
  ]);
  expect(await operationsOf(await get("?limit=2&cursor=one"))).toEqual(["/ops/three"]);
  for (const query of ["?limit=0", "?limit=1001", "?group=A", "?cursor=%20", "?page=1", "?limit=1&limit=2"])
    expect((await get(query)).status, query).toBe(400);
});

it("GET /openapi.json answers 304 while nothing changed, and never once something did", async () => {
  const response = await get();
  const etag = response.headers.get("etag") ?? "";
  expect(response.headers.get("cache-control")).toBe("private, no-cache");
  const same = await get("", { "if-none-match": `"other", W/${etag}` });
  expect([same.status, await same.text(), same.headers.get("etag")]).toEqual([304, "", etag]);
  for (const query of ["?group=one", "?limit=3"]) {
    expect((await get(query, { "if-none-match": etag })).status, query).toBe(200);
  }
  await put("one", { description: "new" });
  const changed = await get("", { "if-none-match": etag });
  const { paths } = (await changed.json()) as Document;
  expect([changed.status, paths["/ops/one"]?.["post"]?.summary]).toEqual([200, "new"]);
});

it("GET /openapi.json reads what changed and nothing else", async () => {
  await get();
  await get();
  await get("?group=one");
  expect(reads).toEqual([["one", "three", "two"]]);
  await put("three", { description: "new" });
  await base.run("delete_operation", { name: "one" });
  expect(await operationsOf(await get())).toEqual(["/ops/three", "/ops/two"]);
  expect(reads.slice(1)).toEqual([["three"]]);
});

it("GET /openapi.json of another process is as new as the registry", async () => {
  await get();
  await base
    .another()
    .write({ action: "delete", kind: "operation", name: "one" }, { id: "admin", name: "admin", scopes: ["admin"] });
  expect(await operationsOf(await get())).toEqual(["/ops/three", "/ops/two"]);
});
