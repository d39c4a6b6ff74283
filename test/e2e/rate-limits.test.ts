/** Rate limits on the real platform: exact under a burst, for every way in, over a restart, and told in the answer. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, startDev, type Dev } from "./_platform.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  await install(dev, "identity", "export function identity(input) { return input; }");
  await install(
    dev,
    "relay",
    `export async function relay({ name, input, catching }, ctx) {
      if (catching !== true) return ctx.call(name, input);
      try {
        return await ctx.call(name, input);
      } catch (error) {
        return { code: error.code, after_ms: error.after_ms };
      }
    }`,
  );
});
afterAll(() => dev.stop());

const HOUR = 3_600;

async function limited(name: string, rate_limit: unknown): Promise<string> {
  const made = await dev.request(`/registry/operations/identity/duplicate`, {
    method: "POST",
    body: JSON.stringify({ name, rate_limit }),
  });
  expect(made.status, await made.text()).toBe(200);
  return name;
}

async function token(name: string, rate_limit: unknown, scopes = ["ops:invoke", "registry:read"]): Promise<string> {
  const made = await dev.request(`/registry/tokens/${name}`, {
    method: "PUT",
    body: JSON.stringify({ scopes, rate_limit }),
  });
  return ((await made.json()) as { token: string }).token;
}

describe("an operation's rate limit", () => {
  it("lets exactly 100 of 1,000 parallel calls pass", async () => {
    const name = await limited("burst", { limit: 100, window_s: HOUR });
    const statuses: number[] = [];
    const work = Array.from({ length: 1_000 }, (_, n) => n);
    const caller = async (): Promise<void> => {
      while (work.pop() !== undefined) statuses.push((await dev.call(name, 1)).status);
    };
    await Promise.all(Array.from({ length: 200 }, caller));
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(900);
  });

  it("says so in the answer, good or bad", async () => {
    const name = await limited("told", { limit: 2, window_s: HOUR });
    const first = await dev.call(name, 1);
    expect(first.headers.get("ratelimit-policy")).toBe('"operation";q=2;w=3600');
    expect(first.headers.get("ratelimit")).toBe('"operation";r=1;t=1800');
    expect(first.headers.get("retry-after")).toBeNull();
    await dev.call(name, 1);
    const refused = await dev.call(name, 1);
    expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited", title: expect.any(String) as string } });
    expect(refused.headers.get("ratelimit")).toMatch(/^"operation";r=0;t=(3600|3599)$/);
    const afterS = Number(refused.headers.get("retry-after"));
    expect(afterS).toBeGreaterThan(1_790);
    expect(afterS).toBeLessThanOrEqual(1_800);
    expect(Math.ceil((refused.body as { after_ms: number }).after_ms / 1000)).toBe(afterS);
    expect((await dev.call("identity", 1)).headers.has("ratelimit")).toBe(false);
  });

  it("counts every way in alike: pinned revisions, kept calls, nested calls, and not what only checks", async () => {
    const name = await limited("ways", { limit: 3, window_s: HOUR });
    expect((await dev.request(`/ops/${name}?validate=only`, { method: "POST", body: "1" })).status).toBe(200);
    expect((await dev.call("relay", { name, input: 1 })).status).toBe(200);
    const kept = await dev.request(`/ops/${name}`, {
      method: "POST",
      body: "1",
      headers: { prefer: "respond-async" },
    });
    expect(kept.status).toBe(202);
    expect((await dev.call(`${name}@1`, 1)).status).toBe(200);
    expect((await dev.call(name, 1)).status).toBe(429);
    expect((await dev.call(`${name}@1`, 1)).status).toBe(429);
    expect((await dev.call("relay", { name, input: 1, catching: true })).body).toEqual({
      code: "rate_limited",
      after_ms: expect.any(Number) as number,
    });
  });

  it("is told at the operation's own path too", async () => {
    const made = await dev.request("/registry/operations/relay/duplicate", {
      method: "POST",
      body: JSON.stringify({
        name: "at_path",
        path: "GET /limited/{name}",
        input_type: { schema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] } },
        rate_limit: { limit: 1, window_s: HOUR },
      }),
    });
    expect(made.status, await made.text()).toBe(200);
    const answers = [await dev.request("/limited/health"), await dev.request("/limited/health")];
    expect(answers.map(({ headers }) => headers.get("ratelimit-policy"))).toEqual(
      Array(2).fill('"operation";q=1;w=3600'),
    );
    expect(answers[1]?.status).toBe(429);
  });

  it("is no failure for good of an asynchronous caller: it is tried again when there is room", async () => {
    const name = await limited("later", { limit: 1, window_s: 2 });
    const call = () =>
      dev.request("/ops/relay", {
        method: "POST",
        body: JSON.stringify({ name, input: 7 }),
        headers: { prefer: "respond-async, wait=20" },
      });
    const answers = await Promise.all([call(), call()]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const attempts = await Promise.all(
      answers.map(async ({ headers }) => {
        const view = (await (await dev.request(`/executions/${headers.get("execution-id")}`)).json()) as {
          attempt: number;
        };
        return view.attempt;
      }),
    );
    expect(attempts.toSorted((a, b) => a - b)).toEqual([1, 2]);
  });

  it("is none of a chain either", async () => {
    const name = await limited("step", { limit: 1, window_s: 2 });
    const response = await dev.request("/ops/chain", {
      method: "POST",
      body: JSON.stringify({ steps: [{ operation: name, args: { n: 1 } }, { operation: name }] }),
      headers: { prefer: "wait=20" },
    });
    expect([response.status, await response.text()]).toEqual([200, '{"n":1}']);
  });

  it("changes with the row, for old revisions too, and is gone with it", async () => {
    const name = await limited("changing", { limit: 1, window_s: HOUR });
    const edit = async (rate_limit: unknown): Promise<void> => {
      const edited = await dev.request(`/registry/operations/${name}`, {
        method: "PATCH",
        body: JSON.stringify({ rate_limit }),
      });
      expect(edited.status).toBe(200);
    };
    expect((await dev.call(name, 1)).status).toBe(200);
    expect((await dev.call(name, 1)).status).toBe(429);
    await edit({ limit: 3 });
    const again = await dev.call(`${name}@1`, 1);
    expect([again.status, again.headers.get("ratelimit-policy")]).toEqual([200, '"operation";q=3;w=3600']);
    await edit({ limit: 1 });
    expect((await dev.call(`${name}@2`, 1)).status).toBe(429);
    await edit(null);
    const free = await dev.call(`${name}@1`, 1);
    expect([free.status, free.headers.has("ratelimit")]).toEqual([200, false]);
  });

  it.each([
    [{ limit: 0, window_s: 1 }, "/rate_limit/limit"],
    [{ limit: 1, window_s: 0 }, "/rate_limit/window_s"],
    [{ limit: 1 }, "/rate_limit/window_s"],
    [{ limit: 1, window_s: 1, per: "token" }, "/rate_limit/per"],
    [{ limit: 1, window_s: 1, burst: 0 }, "/rate_limit/burst"],
  ])("is refused when it makes no sense: %j", async (rate_limit, pointer) => {
    const response = await dev.request("/registry/operations/identity", {
      method: "PATCH",
      body: JSON.stringify({ rate_limit }),
    });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ pointer }] });
  });
});

describe("a token's rate limit", () => {
  it("counts all its requests, calls and registry alike, and stands beside the operation's", async () => {
    const name = await limited("both", { limit: 50, window_s: HOUR });
    const text = await token("guest", { limit: 4, window_s: HOUR });
    const called = await dev.call(name, 1, { token: text });
    expect(called.headers.get("ratelimit-policy")).toBe('"token";q=4;w=3600, "operation";q=50;w=3600');
    expect(called.headers.get("ratelimit")).toBe('"token";r=3;t=900, "operation";r=49;t=72');
    const listed = await dev.request("/registry/operations?limit=1", { token: text });
    expect(listed.status).toBe(200);
    expect(listed.headers.get("ratelimit")).toMatch(/^"token";r=2;t=1(?:800|7\d\d)$/);
    // Refused for what it asks, and counted all the same.
    const denied = await dev.request("/registry/tokens/x", { method: "DELETE", token: text });
    expect([denied.status, denied.headers.get("ratelimit")?.slice(0, 11)]).toEqual([403, '"token";r=1']);
    // What its handlers ask for is no request of the token's.
    expect((await dev.call("relay", { name, input: 1 }, { token: text })).status).toBe(200);
    const refused = await dev.request("/registry/operations?limit=1", { token: text });
    expect(refused.status).toBe(429);
    expect(refused.headers.get("ratelimit")).toMatch(/^"token";r=0;t=3[56]\d\d$/);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(800);
    expect((await dev.request("/health", { token: text })).status).toBe(200);
    expect((await dev.call(name, 1)).status).toBe(200);
  });

  it("changes with the row", async () => {
    const text = await token("edited", { limit: 1, window_s: HOUR });
    expect((await dev.call("identity", 1, { token: text })).status).toBe(200);
    expect((await dev.call("identity", 1, { token: text })).status).toBe(429);
    await dev.request("/registry/tokens/edited", { method: "PATCH", body: '{"rate_limit":null}' });
    expect((await dev.call("identity", 1, { token: text })).status).toBe(200);
  });
});

describe("a replay", () => {
  it("is a call like any other", async () => {
    const name = await limited("replayed", { limit: 2, window_s: HOUR });
    const headers = { prefer: "respond-async, wait=20" };
    const first = await dev.request(`/ops/${name}`, { method: "POST", body: "1", headers });
    const replay = () =>
      dev.request(`/executions/${first.headers.get("execution-id")}/replay`, { method: "POST", body: "{}" });
    expect((await replay()).status).toBe(202);
    const refused = await replay();
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ code: "rate_limited" });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(1_700);
  });
});

describe("over a restart", () => {
  it("what was counted a second before stays counted, also when everything is killed", async () => {
    const name = await limited("kept", { limit: 5, window_s: HOUR });
    for (let n = 0; n < 5; n++) expect((await dev.call(name, 1)).status).toBe(200);
    // The write comes a second behind the answers.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const killed = new Promise((resolve) => dev.child.once("exit", resolve));
    dev.child.kill("SIGKILL");
    await killed;
    const { state } = dev;
    dev = await startDev({ state });
    expect((await dev.call(name, 1)).status).toBe(429);
  });
});
