/** Operations at paths of their own, on the real platform: requests as clients send them, and as they do not. */
import http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, startDev, type Dev } from "./_platform.ts";
import { registryOf, type Json } from "./_registry.ts";

let dev: Dev;
const { send, done } = registryOf(() => dev);

const PERSON = {
  type: "object",
  properties: {
    person_id: { type: "integer" },
    name: { type: "string" },
    tags: { type: "array", items: { type: ["integer", "null"] } },
    near: { type: "object" },
    active: { type: "boolean" },
    limit: { anyOf: [{ type: "number" }, { const: "all" }] },
  },
  required: ["person_id"],
  additionalProperties: false,
};
const say = "export function say(input) { return input; }";

beforeAll(async () => {
  dev = await startDev();
  const people = { input_type: PERSON, group: "people" };
  await install(dev, "read_person", say, { ...people, path: "GET /people/{person_id}" });
  await install(dev, "change_person", say, { ...people, path: "PATCH /people/{person_id}" });
  await install(dev, "remove_person", say, { ...people, path: "DELETE /people/{person_id}" });
  await install(dev, "me", "export function me() { return 'me'; }", { path: "GET /people/me" });
  const file = { type: "object", properties: { name: { type: "string" } } };
  await install(dev, "read_file", say, { input_type: file, path: "GET /files/{name}" });
  await install(dev, "sum", "export function sum(list) { return list.reduce((a, b) => a + b, 0); }", {
    path: "POST /sums",
  });
  await install(dev, "later", say, { path: "POST /later", is_async: true });
});
afterAll(() => dev.stop());

const mint = async (name: string, scopes: string[]): Promise<string> =>
  ((await done("PUT", `/registry/tokens/${name}`, { scopes })).body as { token: string }).token;

const raw = (path: string): Promise<{ status: number | undefined; text: string }> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${dev.token}` };
    const request = http.request({ host: "127.0.0.1", port: dev.port, path, headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode, text }));
    });
    request.on("error", reject).end();
  });

describe("a request at a path", () => {
  it.each<[string, string, unknown, Json]>([
    ["GET", "/people/7", undefined, { person_id: 7 }],
    [
      "GET",
      "/people/7?name=null&active=true&limit=1.5",
      undefined,
      { person_id: 7, name: "null", active: true, limit: 1.5 },
    ],
    ["GET", "/people/7?limit=all&tags=1&tags=null", undefined, { person_id: 7, limit: "all", tags: [1, null] }],
    ["GET", "/people/7?tags=1", undefined, { person_id: 7, tags: [1] }],
    ["GET", "/people/7?near=%7B%22a%22%3A%5B1%5D%7D", undefined, { person_id: 7, near: { a: [1] } }],
    ["GET", "/people/7?name=a+b%2Bc", undefined, { person_id: 7, name: "a b+c" }],
    ["PATCH", "/people/7?active=false", { name: "x" }, { person_id: 7, active: false, name: "x" }],
    ["DELETE", "/people/7", undefined, { person_id: 7 }],
    ["GET", "/files/a%2Fb%20%C3%A9%252F", undefined, { name: "a/b é%2F" }],
    ["GET", "/files/..%2F..%2Fops", undefined, { name: "../../ops" }],
  ])("%s %s with %j calls with %j", async (method, path, body, input) => {
    expect(await send(method, path, body)).toMatchObject({ status: 200, body: input });
  });

  it("answers as POST /ops/:name does", async () => {
    const { headers } = await send("GET", "/people/7");
    for (const name of ["execution-id", "operation-revision", "server-timing", "traceparent"])
      expect(headers.has(name), name).toBe(true);
    const record = await done("GET", `/executions/${headers.get("execution-id")}`);
    expect(record.body).toMatchObject({ operation: "read_person", status: "succeeded" });
    const kept = await send("POST", "/later", { n: 1 }, { prefer: "wait=20" });
    expect(kept).toMatchObject({ status: 200, body: { n: 1 } });
    await send("PATCH", "/people/8", { name: "y" }, { "idempotency-key": "once" });
    const again = await send("PATCH", "/people/8", { name: "y" }, { "idempotency-key": "once" });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  it("takes any JSON as its body where nothing else is said, and no body as no member", async () => {
    expect(await (await dev.request("/sums", { method: "POST", body: "[1,2]" })).json()).toBe(3);
    expect((await send("POST", "/later")).status).toBe(202);
    expect((await send("POST", "/later?a=1", { b: 2 }, { prefer: "wait=20" })).body).toEqual({ a: "1", b: 2 });
    expect(await send("POST", "/sums?a=1", [1])).toMatchObject({ status: 400, body: { code: "bad_request" } });
  });

  it.each([
    ["/people/x", ["/person_id"]],
    ["/people/9007199254740993", ["/person_id"]],
    ["/people/007", ["/person_id"]],
    ["/people/7?active=yes&limit=", ["/active", "/limit"]],
    ["/people/7?near=%7B", ["/near"]],
    ["/people/7?unknown=1", ["/unknown"]],
    ["/people/7?tags=1&tags=a", ["/tags/1"]],
  ])("%s breaks the input type at %j", async (path, pointers) => {
    const { status, body } = await send("GET", path);
    expect([status, body["code"]]).toEqual([422, "input_invalid"]);
    expect((body["errors"] as { pointer: string }[]).map(({ pointer }) => pointer).toSorted()).toEqual(pointers);
  });

  it.each([
    ["GET", "/people/7?person_id=7", undefined, "in the query and in the path"],
    ["PATCH", "/people/7", { person_id: 7 }, "in the path and in the body"],
    ["PATCH", "/people/7?name=a", { name: "a" }, "in the query and in the body"],
    ["GET", "/people/7?name=a&name=b", undefined, "2 times"],
    ["GET", "/people/%ff", undefined, "percent-encoded"],
    ["GET", "/people/%7", undefined, "percent-encoded"],
    ["DELETE", "/people/7", {}, "no body"],
  ])("%s %s with %j is refused: %s", async (method, path, body, reason) => {
    const answer = await send(method, path, body);
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_request" } });
    expect(answer.body["detail"]).toContain(reason);
  });

  it("finds what is written out before a parameter, and every method for itself", async () => {
    expect(await (await dev.request("/people/me")).json()).toBe("me");
    expect(await send("PATCH", "/people/me", {})).toMatchObject({ status: 422 });
  });

  it.each(["/people", "/people/", "/people/7/", "//people/7", "/people//", "/People/7", "/people/7/x"])(
    "%s is another path",
    async (path) => {
      expect(await send("GET", path)).toMatchObject({ status: 404, body: { code: "route_not_found" } });
    },
  );

  it("answers HEAD, OPTIONS and what nobody answers as for any resource", async () => {
    const head = await dev.request("/people/7", { method: "HEAD" });
    expect([head.status, await head.text(), head.headers.get("content-type")]).toEqual([200, "", "application/json"]);
    const options = await dev.request("/people/7", { method: "OPTIONS", token: null });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, PATCH, DELETE"]);
    const put = await send("PUT", "/people/7", {});
    expect([put.status, put.body["code"], put.headers.get("allow")]).toEqual([
      405,
      "method_not_allowed",
      "GET, HEAD, PATCH, DELETE",
    ]);
    expect((await dev.request("/people/7", { headers: { accept: "text/html" } })).status).toBe(406);
  });
});

describe("who may", () => {
  it("asks for a token, and for the operation's group before it says anything of the type", async () => {
    expect((await dev.request("/people/7", { token: null })).status).toBe(401);
    const stranger = await mint("stranger", ["ops:invoke:other"]);
    const refused = await dev.request("/people/not-a-number", { token: stranger });
    expect([refused.status, ((await refused.json()) as Json)["code"]]).toEqual([403, "forbidden"]);
    const friend = await mint("friend", ["ops:invoke:people"]);
    expect((await dev.request("/people/7", { token: friend })).status).toBe(200);
  });

  it("says that an operation is switched off", async () => {
    await done("PATCH", "/registry/operations/me", { active: false });
    expect(await send("GET", "/people/me")).toMatchObject({ status: 409, body: { code: "operation_inactive" } });
    await done("PATCH", "/registry/operations/me", { active: true });
  });
});

describe("an edit is there with the next request", () => {
  it("moves, gives free and takes over", async () => {
    await install(dev, "mover", say, { path: "GET /moved/a" });
    expect((await send("GET", "/moved/a")).status).toBe(200);
    await done("PATCH", "/registry/operations/mover", { path: "GET /moved/b" });
    expect([(await send("GET", "/moved/a")).status, (await send("GET", "/moved/b")).status]).toEqual([404, 200]);
    await done("PATCH", "/registry/operations/mover", { path: null });
    await done("PATCH", "/registry/operations/later", { path: "GET /moved/b" });
    expect((await send("GET", "/moved/b")).status).toBe(202);
    await done("PATCH", "/registry/operations/later", { path: "POST /later" });
    await done("POST", "/registry/operations/mover/rollback", { to: 1 });
    expect((await send("GET", "/moved/a")).status).toBe(200);
    await done("DELETE", "/registry/operations/mover");
    expect((await send("GET", "/moved/a")).status).toBe(404);
  });
});

describe("as nobody's library sends it", () => {
  it.each([
    ["/files/..", 404, "route_not_found"],
    ["/files/.", 404, "route_not_found"],
    ["/files/%2e%2e", 404, "route_not_found"],
    ["/files/%2E", 404, "route_not_found"],
    ["/x/../files/a", 200, '{"name":"a"}'],
    ["/files/a/../b", 200, '{"name":"b"}'],
    ["/files/a/%2e%2e/b", 404, "route_not_found"],
    ["/files/./a", 200, '{"name":"a"}'],
    ["/files/../ops/read_file", 200, '"input_schema"'],
  ])("%s: dots are steps or nothing, never a parameter", async (path, status, text) => {
    const answer = await raw(path);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(text);
  });

  it("reads each segment once", async () => {
    expect((await raw("/files/%25252F")).text).toBe('{"name":"%252F"}');
    expect((await raw("/f%69les/a")).text).toBe('{"name":"a"}');
    expect(await raw("/files/a?name")).toMatchObject({ status: 400 });
  });
});
