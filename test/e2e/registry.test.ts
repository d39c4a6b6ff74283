/** The registry over HTTP: preconditions, refusals that store nothing, history, and edits under running calls. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, startDev, type Dev } from "./_platform.ts";
import { etagOf, registryOf, revisionOf, type Answer, type Json } from "./_registry.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  await install(dev, "identity", "export function identity(input) { return input; }");
});
afterAll(() => dev.stop());

const { send, done, list } = registryOf(() => dev);
const lastChange = async (): Promise<Json> => (await list("/changes?limit=1")).items[0] ?? {};
const amount = (type: string) => ({ schema: { type } });

async function call(name: string, input: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return send("POST", `/ops/${name}`, input, headers);
}

describe("preconditions", () => {
  it("of two edits with one ETag, one lands and one gets 412", async () => {
    const etag = etagOf(await done("PUT", "/registry/types/contested", { schema: true }));
    const edits = await Promise.all(
      ["one", "two"].map((description) =>
        send("PATCH", "/registry/types/contested", { description }, { "if-match": etag }),
      ),
    );
    const [landed, refused] = edits.toSorted((a, b) => a.status - b.status);
    expect(landed).toMatchObject({ status: 200, body: { meta: { revision: 2 } } });
    expect(refused).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect((await done("GET", "/registry/types/contested")).body).toEqual(landed?.body);
  });

  it.each([
    ["PUT", "", { schema: false }],
    ["DELETE", "", undefined],
    ["POST", "/rollback", { to: 1 }],
  ])("%s%s with an ETag that is no longer current gets 412 and changes nothing", async (method, way, body) => {
    const path = `/registry/types/moved_on_${method.toLowerCase()}`;
    const old = etagOf(await done("PUT", path, { schema: true }));
    const current = await done("PUT", path, { schema: { type: "string" } });
    expect(await send(method, path + way, body, { "if-match": old })).toMatchObject({
      status: 412,
      body: { code: "precondition_failed" },
    });
    expect((await done("GET", path)).body).toEqual(current.body);
    expect((await send(method, path + way, body, { "if-match": etagOf(current) })).status).toBe(200);
  });

  it("If-None-Match: * makes an entry and never replaces one", async () => {
    const path = "/registry/types/made_once";
    const only = { "if-none-match": "*" };
    const [first, second] = await Promise.all([1, 2].map(() => send("PUT", path, { schema: true }, only)));
    expect([first?.status, second?.status].toSorted((a = 0, b = 0) => a - b)).toEqual([200, 412]);
    expect((await done("GET", path)).body).toMatchObject({ schema: true, meta: { revision: 1 } });
  });

  it("GET answers 304 without a body while the ETag holds", async () => {
    const path = "/registry/types/cached";
    const etag = etagOf(await done("PUT", path, { schema: true }));
    for (const tags of [etag, `"other", ${etag}`, `W/${etag}`, "*"]) {
      const same = await send("GET", path, undefined, { "if-none-match": tags });
      expect([same.status, same.body, etagOf(same)], tags).toEqual([304, {}, etag]);
    }
    expect((await send("GET", path, undefined, { "if-none-match": '"other"' })).status).toBe(200);
    await done("PATCH", path, { schema: false });
    expect(await send("GET", path, undefined, { "if-none-match": etag })).toMatchObject({
      status: 200,
      body: { schema: false },
    });
  });
});

describe("a refused write says why and stores nothing", () => {
  it.each([
    ["concurrency", { concurrency: { limit: 1 } }, "setting_unsupported"],
    ["record", { is_async: true, record: "none" }, "setting_unsupported"],
    ["retry/initial_ms", { retry: { initial_ms: 2, max_ms: 1 } }, "definition_invalid"],
  ])("%s, where the other settings leave no room for it: %j", async (pointer, wish, code) => {
    const before = [await lastChange(), (await done("GET", "/registry/operations/identity")).body];
    expect(await send("PATCH", "/registry/operations/identity", wish)).toMatchObject({
      status: 422,
      body: { code, errors: [{ pointer: `/${pointer}` }] },
    });
    expect([await lastChange(), (await done("GET", "/registry/operations/identity")).body]).toEqual(before);
  });

  it.each([
    ["an unknown $schema", { $schema: "http://json-schema.org/draft-07/schema#" }, "/$schema", /draft-07/],
    [
      "a remote $ref",
      { properties: { a: { $ref: "https://example.com/s.json" } } },
      "/properties/a/$ref",
      /never fetched/,
    ],
    ["a $ref that leads nowhere", { items: { $ref: "#/$defs/none" } }, "/items/$ref", /"#\/\$defs\/none"/],
    ["a $ref to a type that is not stored", { not: { $ref: "type:none" } }, "/not/$ref", /none/],
    ["a pattern with a look-ahead", { allOf: [{ pattern: "(?=a)b" }] }, "/allOf/0/pattern", /linear time/],
    ["a pattern that is none", { propertyNames: { pattern: "[" } }, "/propertyNames/pattern", /linear time/],
  ])("%s: schema_unsupported, with the pointer and the reason", async (what, schema, pointer, reason) => {
    const before = await lastChange();
    const name = what.replaceAll(/[^a-z]+/g, "_").replaceAll(/^_|_$/g, "");
    const errors = (prefix: string) => [{ pointer: prefix + pointer, detail: expect.stringMatching(reason) }];
    expect(await send("PUT", `/registry/types/${name}`, { schema })).toMatchObject({
      status: 422,
      body: { code: "schema_unsupported", errors: errors("/schema") },
    });
    const inline = { implemented_at: "identity:identity", output_type: schema };
    expect(await send("PUT", `/registry/operations/${name}`, inline)).toMatchObject({
      status: 422,
      body: { code: "schema_unsupported", errors: errors("/output_type") },
    });
    expect((await send("GET", `/registry/types/${name}`)).status).toBe(404);
    expect(await lastChange()).toEqual(before);
  });

  it("module code under another hash: module_hash_mismatch", async () => {
    const wrong = "0".repeat(64);
    const response = await dev.request(`/modules/${wrong}`, {
      method: "PUT",
      body: "export const x = () => 1;",
      headers: { "content-type": "text/javascript" },
    });
    expect([response.status, await response.json()]).toMatchObject([422, { code: "module_hash_mismatch" }]);
    expect((await send("GET", `/modules/${wrong}`)).status).toBe(404);
    const exports = { x: { input: { schema: true }, output: { schema: true } } };
    expect((await send("PUT", "/registry/modules/unstored", { sha256: wrong, exports })).status).toBe(422);
  });

  it("the deletion of what is still used: entity_in_use, naming the users", async () => {
    await done("PUT", "/registry/types/used", { schema: { type: "integer" } });
    await done("PUT", "/registry/types/outer", { schema: { properties: { n: { $ref: "type:used" } } } });
    await done("PUT", "/registry/operations/user", { implemented_at: "identity:identity", input_type: "used" });
    const refused = await send("DELETE", "/registry/types/used");
    expect(refused).toMatchObject({ status: 409, body: { code: "entity_in_use" } });
    for (const user of ["outer", "user"]) expect(refused.body["detail"]).toContain(user);
    expect(await send("DELETE", "/registry/modules/identity")).toMatchObject({ body: { code: "entity_in_use" } });
    await done("DELETE", "/registry/operations/user");
    await done("DELETE", "/registry/types/outer");
    await done("DELETE", "/registry/types/used");
  });
});

describe("a built-in that runs later", () => {
  it("is a copy like any other, with the input type of what it copies", async () => {
    const words = [
      "duplicate",
      "operation",
      "list_operation",
      "-s",
      "name=list_operation_async",
      "-s",
      "is_async=true",
    ];
    expect((await dev.opctl(words)).code).toBe(0);
    const { body } = await done("GET", "/registry/operations/list_operation_async");
    expect(body).toMatchObject({ is_async: true, record: "all", implemented_at: "builtin:list_operation" });
    const fits = ["call", "list_operation_async", "--validate", 'name={"op":"$eq","value":"echo"}'];
    expect((await dev.opctl(fits)).code).toBe(0);
    const misfits = await dev.opctl(["call", "list_operation_async", "--validate", 'name={"op":"$no","value":"echo"}']);
    expect(misfits.code).not.toBe(0);
    expect(misfits.stderr).toContain("/name");
  });
});

describe("the history of an entry", () => {
  it("revisions, rollback, duplicate, delete", async () => {
    const path = "/registry/types/history";
    const schemas = [{ type: "string" }, { type: "integer" }, { type: "boolean" }];
    for (const schema of schemas) await done("PUT", path, { schema });
    // Again the same: no revision.
    await done("PUT", path, { schema: schemas[2] });
    const { items } = await list(`${path}/revisions`);
    expect(items.map(({ meta, schema }) => [meta["revision"], schema])).toEqual([
      [3, schemas[2]],
      [2, schemas[1]],
      [1, schemas[0]],
    ]);
    expect((await done("GET", `${path}?revision=2`)).body).toEqual(items[1]);

    const back = await done("POST", `${path}/rollback`, { to: 1 });
    expect(back.body).toMatchObject({ schema: schemas[0], meta: { revision: 4, digest: items[2]?.meta["digest"] } });
    expect((await send("POST", `${path}/rollback`, { to: 99 })).status).toBe(404);

    const copy = await done("POST", `${path}/duplicate`, { name: "history_copy", description: "a copy" });
    expect(copy.body).toMatchObject({ name: "history_copy", schema: schemas[0], meta: { revision: 1 } });
    expect(await send("POST", `${path}/duplicate`, { name: "history_copy" })).toMatchObject({
      status: 409,
      body: { code: "entity_exists" },
    });

    await done("DELETE", path);
    expect(await send("GET", path)).toMatchObject({ status: 404, body: { code: "entity_not_found" } });
    expect((await send("DELETE", path)).status).toBe(404);
    expect((await list(`${path}/revisions`)).items[0]?.meta["revision"]).toBe(4);
    expect((await done("GET", "/registry/types/history_copy")).body).toMatchObject({ schema: schemas[0] });

    // The numbers go on: history_1 stays what it was.
    expect(revisionOf(await done("PUT", path, { schema: false }))).toBe(5);
    expect((await done("GET", `${path}?revision=1`)).body).toMatchObject({ schema: schemas[0] });
  });

  it("the change log says who did what, from which digest to which", async () => {
    const path = "/registry/types/logged";
    const made = await done("PUT", path, { schema: true });
    const edited = await done("PATCH", path, { description: "x" });
    const removed = await done("DELETE", path);
    const author = (made.body["meta"] as Json)["updated_by"];
    const digests = [made, edited].map(({ body }) => (body["meta"] as Json)["digest"]);
    const page = await list("/changes?limit=2");
    const older = await list(`/changes?limit=1&cursor=${page.next_cursor}`);
    expect([...page.items, ...older.items]).toMatchObject([
      { kind: "type", name: "logged", action: "delete", author, before: digests[1], after: null },
      { kind: "type", name: "logged", action: "edit", author, before: digests[0], after: digests[1] },
      { kind: "type", name: "logged", action: "create", author, before: null, after: digests[0] },
    ]);
    expect(dev.token).toContain(String(author));
    expect([removed, edited, made].map(({ headers }) => headers.get("registry-revision"))).toEqual(
      [...page.items, ...older.items].map(({ seq }) => String(seq)),
    );
  });
});

describe("a call and the registry", () => {
  it("Min-Registry-Revision: a call never sees less, and is refused where it cannot see as much", async () => {
    const { headers } = await done("PATCH", "/registry/operations/identity", { description: "newest" });
    const revision = Number(headers.get("registry-revision"));
    expect((await call("identity", 1, { "min-registry-revision": String(revision) })).status).toBe(200);
    expect(await call("identity", 1, { "min-registry-revision": String(revision + 1_000) })).toMatchObject({
      status: 503,
      body: { code: "registry_behind" },
    });
    expect((await call("identity", 1, { "min-registry-revision": "newest" })).status).toBe(400);
  });

  it("an edit of a type reaches all that names it, and a call under way keeps its revision", async () => {
    await done("PUT", "/registry/types/amount", amount("integer"));
    await done("PUT", "/registry/types/bill", {
      schema: { type: "object", properties: { amount: { $ref: "type:amount" } }, required: ["amount"] },
    });
    const code = "export async function slow({ ms }) { await scheduler.wait(ms); return { amount: 1 }; }";
    await install(dev, "slow", code, { output_type: "bill" });
    const operation = await done("GET", "/registry/operations/slow");
    await call("slow", { ms: 0 });

    const underWay = call("slow", { ms: 1_500 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await done("PUT", "/registry/types/amount", amount("string"));

    const after = await call("slow", { ms: 0 });
    expect(after).toMatchObject({
      status: 502,
      body: { code: "output_invalid", errors: [{ pointer: "/amount", keyword: "type" }] },
    });
    const begun = await underWay;
    expect(begun).toMatchObject({ status: 200, body: { amount: 1 } });
    expect([begun, after].map(({ headers }) => headers.get("operation-revision"))).toEqual(["1", "2"]);
    expect(await call("slow@1", { ms: 0 })).toMatchObject({ status: 200, body: { amount: 1 } });

    for (const [path, revision] of [
      ["types/bill", 2],
      ["operations/slow", 2],
      ["operations/identity", revisionOf(await done("GET", "/registry/operations/identity"))],
    ] as const)
      expect(revisionOf(await done("GET", `/registry/${path}`)), path).toBe(revision);
    expect(etagOf(await done("GET", "/registry/operations/slow"))).not.toBe(etagOf(operation));
    const changed = (await list("/changes?limit=3")).items.map(({ kind, name, action }) =>
      [action, kind, name].join(" "),
    );
    expect(changed.toSorted()).toEqual(["edit type amount", "ripple operation slow", "ripple type bill"]);
  });

  it("a call under way ends well though its operation and code are deleted", async () => {
    await install(dev, "doomed", "export async function doomed() { await scheduler.wait(1_000); return 'done'; }");
    const underWay = call("doomed", {});
    await new Promise((resolve) => setTimeout(resolve, 400));
    await done("DELETE", "/registry/operations/doomed");
    await done("DELETE", "/registry/modules/doomed");
    expect(await call("doomed", {})).toMatchObject({ status: 404, body: { code: "operation_not_found" } });
    expect(await underWay).toMatchObject({ status: 200, body: "done" });
  });

  it("an edit of a type that a user could not follow is refused as a whole", async () => {
    await done("PUT", "/registry/types/leaf", { schema: { $defs: { part: { type: "string" } } } });
    await done("PUT", "/registry/types/branch", { schema: { $ref: "type:leaf" } });
    const before = [await lastChange(), (await done("GET", "/registry/types/leaf")).body];
    const refused = await send("PUT", "/registry/types/leaf", { schema: { $ref: "type:branch" } });
    expect(refused.status).toBe(422);
    expect([await lastChange(), (await done("GET", "/registry/types/leaf")).body]).toEqual(before);
  });
});
