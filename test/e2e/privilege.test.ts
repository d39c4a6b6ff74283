/** Who may do what: every route, every way to a built-in, every sort of bad token. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROUTES } from "../../src/edge/routes.ts";
import { install, startDev, type Dev } from "./_platform.ts";

let dev: Dev;
const tokens: Record<string, string> = {};

async function mint(name: string, scopes: string[], extra: Record<string, unknown> = {}): Promise<string> {
  const response = await dev.request(`/registry/tokens/${name}`, {
    method: "PUT",
    body: JSON.stringify({ scopes, ...extra }),
  });
  const body = (await response.json()) as { token: string };
  expect(response.status, JSON.stringify(body)).toBeLessThan(300);
  return body.token;
}

beforeAll(async () => {
  dev = await startDev();
  await install(dev, "identity", "export function identity(input) { return input; }", { group: "demo" });
  await install(
    dev,
    "relay",
    "export async function relay({ name, input }, ctx) { return await ctx.call(name, input); }",
    { group: "demo" },
  );
  tokens["invoke"] = await mint("invoke", ["ops:invoke"]);
  tokens["other_group"] = await mint("other_group", ["ops:invoke:other"]);
  tokens["demo_group"] = await mint("demo_group", ["ops:invoke:demo"]);
  tokens["read"] = await mint("read", ["registry:read"]);
  tokens["write"] = await mint("write", ["registry:write"]);
  tokens["secrets"] = await mint("secrets", ["secrets:use"]);
});
afterAll(() => dev.stop());

describe("every route but the public list", () => {
  const guarded = ROUTES.filter((route) => route.access !== "public");
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- it belongs to this list
  const concrete = (path: string): string =>
    path
      .replace(":kind", "tokens")
      .replace(":name", "identity")
      .replace(":sha256", "0".repeat(64))
      .replace(":id", "ex_00_0000000000000000000000000");

  it("is public by list only", () => {
    expect(
      ROUTES.filter((route) => route.access === "public")
        .map((route) => route.path)
        .toSorted(),
    ).toEqual(["/docs", "/health", "/hooks/:name", "/jobs/:id", "/jobs/:id"]);
  });

  it.each(guarded.map((route) => [route.method, route.path] as const))(
    "%s %s refuses a missing token",
    async (method, path) => {
      const response = await dev.request(concrete(path), {
        method,
        token: null,
        ...(method === "GET" ? {} : { body: "{}" }),
      });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code: "unauthenticated" });
      expect(response.headers.get("www-authenticate")).toContain("Bearer");
    },
  );

  it.each(guarded.map((route) => [route.method, route.path, route.access] as const))(
    "%s %s refuses a scope too small",
    async (method, path, access) => {
      // A token that may use secrets and nothing else is too small for every route.
      const response = await dev.request(concrete(path), {
        method,
        token: tokens["secrets"]!,
        ...(method === "GET" ? {} : { body: "{}" }),
      });
      expect(response.status, access).toBe(403);
      expect(await response.json()).toMatchObject({ code: "forbidden" });
    },
  );

  it("a reader cannot write, and a writer of operations cannot write tokens", async () => {
    const writes: [string, string, number][] = [
      ["types", "read", 403],
      ["types", "write", 200],
      ["tokens", "write", 403],
      ["secrets", "write", 403],
      ["environments", "write", 403],
    ];
    for (const [kind, holder, status] of writes) {
      const request = { method: "PUT", body: '{"schema":true}', token: tokens[holder]! };
      expect((await dev.request(`/registry/${kind}/t`, request)).status, kind).toBe(status);
    }
  });

  it("an operation's group is asked for", async () => {
    expect(await dev.call("identity", 1, { token: tokens["other_group"]! })).toMatchObject({
      status: 403,
      body: { code: "forbidden" },
    });
    expect(await dev.call("identity", 1, { token: tokens["demo_group"]! })).toMatchObject({ status: 200 });
    expect(await dev.call("identity", 1, { token: tokens["read"]! })).toMatchObject({ status: 403 });
  });
});

describe("an invoke token cannot mint a token", () => {
  const wish = { name: "minted", scopes: ["admin"] };
  const refused = { status: 403, body: { code: "forbidden" } };

  it("through create_token", async () => {
    expect(await dev.call("create_token", wish, { token: tokens["invoke"]! })).toMatchObject(refused);
  });

  it("through a duplicate of create_token, even in a group it may invoke", async () => {
    const made = await dev.request("/registry/operations/create_token/duplicate", {
      method: "POST",
      body: '{"name":"harmless","group":"demo"}',
    });
    expect(made.status).toBe(200);
    expect(await dev.call("harmless", wish, { token: tokens["invoke"]! })).toMatchObject(refused);
    expect(await dev.call("harmless", wish, { token: tokens["demo_group"]! })).toMatchObject(refused);
  });

  it("through ctx.call of either", async () => {
    for (const name of ["create_token", "harmless"]) {
      const answer = await dev.call("relay", { name, input: wish }, { token: tokens["invoke"]! });
      expect(answer.status).toBe(502);
      expect(JSON.stringify(answer.body)).toContain("admin");
    }
  });

  it("through an operation that says it is built in", async () => {
    const made = await dev.request("/registry/operations/mine", {
      method: "PUT",
      body: '{"implemented_at":"builtin:create_token"}',
    });
    expect(made.status).toBe(200);
    expect(await dev.call("mine", wish, { token: tokens["invoke"]! })).toMatchObject(refused);
  });

  it("and no token was made", async () => {
    expect((await dev.request("/registry/tokens/minted")).status).toBe(404);
  });

  it("while an admin's handler may, with the admin's rights", async () => {
    expect(await dev.call("relay", { name: "create_token", input: wish })).toMatchObject({ status: 200 });
  });
});

describe("a bad token", () => {
  it("that is unknown, damaged, or no bearer at all", async () => {
    for (const [token, code] of [
      ["sy_abc_def", "token_unknown"],
      [`${dev.token}x`, "token_unknown"],
      [`${dev.token.slice(0, -1)}${dev.token.endsWith("a") ? "b" : "a"}`, "token_unknown"],
      ["syc.e30.AAAA", "token_unknown"],
    ] as const) {
      expect(await dev.call("identity", 1, { token }), token).toMatchObject({ status: 401, body: { code } });
    }
    const basic = await dev.request("/ops/identity", {
      method: "POST",
      body: "1",
      token: null,
      headers: { authorization: "Basic eDp5" },
    });
    expect(basic.status).toBe(401);
  });

  it("that has expired", async () => {
    const token = await mint("short", ["ops:invoke"], { expires_at: new Date(Date.now() + 1_500).toISOString() });
    expect(await dev.call("identity", 1, { token })).toMatchObject({ status: 200 });
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    expect(await dev.call("identity", 1, { token })).toMatchObject({ status: 401, body: { code: "token_expired" } });
  });

  it("that was revoked, or deleted, at once", async () => {
    const token = await mint("gone", ["ops:invoke"]);
    expect(await dev.call("identity", 1, { token })).toMatchObject({ status: 200 });
    await dev.request("/registry/tokens/gone", { method: "PATCH", body: '{"active":false}' });
    expect(await dev.call("identity", 1, { token })).toMatchObject({ status: 401, body: { code: "token_revoked" } });
    await dev.request("/registry/tokens/gone", { method: "DELETE" });
    expect(await dev.call("identity", 1, { token })).toMatchObject({ status: 401, body: { code: "token_unknown" } });
  });
});

describe("ctx.call", () => {
  it("keeps principal and trace, and goes one level deeper each time", async () => {
    await install(
      dev,
      "endless",
      "export async function endless(input, ctx) { return await ctx.call('endless', input); }",
    );
    const answer = await dev.call("endless", {});
    expect(answer.status).toBe(502);
    expect(JSON.stringify(answer.body)).toContain("16 deep");
  });

  it("is limited per invocation", async () => {
    await install(
      dev,
      "fan_out",
      `export async function fan_out({ n }, ctx) {
         const results = await Promise.allSettled(Array.from({ length: n }, (_, i) => ctx.call("identity", i)));
         return results.map((result) => result.status === "fulfilled" ? result.value : result.reason.code);
       }`,
    );
    const { body } = await dev.call("fan_out", { n: 40 });
    expect((body as unknown[]).filter((one) => one === "call_limit_exceeded")).toHaveLength(8);
  });
});
