/** A token's rate limit at the edge, and what every answer says of limits. */
import { describe, expect, it } from "vitest";
import type { Limited, RateLimit } from "../model/rate-limit.ts";
import { fakePlatform, ID } from "./_fake-platform.node.ts";
import { rateLimitHeaders, withRateLimits } from "./rate-limits.ts";

const policy: RateLimit = { limit: 10, window_s: 60, burst: null };
const taken = (more: Partial<Limited> = {}): Limited => ({
  subject: "token",
  policy,
  allowed: true,
  remaining: 9,
  resetMs: 6_000,
  afterMs: 0,
  ...more,
});

function setUp(answer: Limited | undefined, rateLimit: RateLimit | null = policy) {
  const fake = fakePlatform();
  const asked: unknown[][] = [];
  const authenticate = fake.platform.registry.authenticate;
  fake.platform.registry.authenticate = async (bearer) => ({
    ...(await authenticate(bearer)),
    ...(rateLimit === null ? {} : { rateLimit }),
  });
  const take = async (...words: unknown[]) => {
    asked.push(words);
    return answer;
  };
  Object.assign(fake.platform, { rateLimits: { take } });
  return { ...fake, asked };
}

describe("a token's rate limit", () => {
  it("is told in an answer that is good, or refused for another reason, and counted once", async () => {
    const fake = setUp(taken());
    for (const [path, status] of [
      [`/executions/${ID}`, 200],
      ["/executions/ex_nonsense", 404],
      ["/registry/tokens", 403],
    ] as const) {
      const response = await fake.request("GET", path);
      expect([response.status, response.headers.get("ratelimit")]).toEqual([status, '"token";r=9;t=6']);
      expect(response.headers.get("ratelimit-policy")).toBe('"token";q=10;w=60');
    }
    expect(fake.asked).toEqual(Array.from({ length: 3 }, () => ["token", "owner", policy]));
  });

  it.each([
    [1, "1"],
    [1_000, "1"],
    [1_001, "2"],
    [59_999, "60"],
  ])("refuses with the seconds rounded up: %d ms", async (afterMs, seconds) => {
    const fake = setUp(taken({ allowed: false, remaining: 0, afterMs }));
    const response = await fake.request("GET", `/executions/${ID}`);
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, seconds]);
    expect(response.headers.get("ratelimit")).toBe('"token";r=0;t=6');
    expect(await response.json()).toMatchObject({ code: "rate_limited", status: 429, after_ms: afterMs });
    expect(fake.calls).toEqual([]);
  });

  it("does not count what a running handler asks for, nor what is public", async () => {
    const fake = setUp(taken({ allowed: false }));
    expect((await fake.request("GET", `/executions/${ID}`, { as: await fake.capability() })).status).toBe(200);
    expect((await fake.request("GET", "/docs")).status).toBe(200);
    expect(fake.asked).toEqual([]);
  });

  it.each([
    ["nobody can count", undefined, policy],
    ["there is none", taken(), null],
  ])("says nothing when %s", async (_what, answer, rateLimit) => {
    const fake = setUp(answer, rateLimit);
    const response = await fake.request("GET", `/executions/${ID}`);
    expect([response.status, response.headers.has("ratelimit")]).toEqual([200, false]);
    expect(fake.asked).toHaveLength(rateLimit === null ? 0 : 1);
  });
});

describe("the fields", () => {
  it("list both limits, as structured fields do", () => {
    const both = [taken(), taken({ subject: "operation", policy: { limit: 5, window_s: 1, burst: 2 }, resetMs: 1 })];
    expect(rateLimitHeaders(both)).toEqual({
      "ratelimit-policy": '"token";q=10;w=60, "operation";q=5;w=1',
      ratelimit: '"token";r=9;t=6, "operation";r=9;t=1',
    });
    expect(rateLimitHeaders([])).toEqual({});
  });

  it("leave an answer without limits as it is, and the rest of one that has them", async () => {
    const plain = new Response("a");
    expect(withRateLimits(plain, [])).toBe(plain);
    const held = withRateLimits(new Response("b", { status: 201, headers: { etag: '"x"' } }), [taken()]);
    expect([held.status, held.headers.get("etag"), await held.text()]).toEqual([201, '"x"', "b"]);
  });
});
