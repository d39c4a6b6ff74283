/** Code that takes the thread, the memory, the network or a secret it was not given: it is stopped, and others go on. */
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LOOPBACK_SPELLINGS } from "../contracts/_executor-order.ts";
import { install, startDev, waitUntil, type Dev } from "./_platform.ts";

const MIB = 2 ** 20;

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  await install(dev, "identity", "export function identity(input) { return input; }");
});
afterAll(() => dev.stop());

type Answer = Awaited<ReturnType<Dev["call"]>> & { ms: number };

async function timed(name: string, input: unknown): Promise<Answer> {
  const from = performance.now();
  const answer = await dev.call(name, input);
  return { ...answer, ms: performance.now() - from };
}

/** How long an answer that needs no executor takes now: what a busy machine adds to everything measured here. */
async function bareMs(): Promise<number> {
  const from = performance.now();
  await (await dev.request("/docs", { token: null })).text();
  return performance.now() - from;
}

/**
 * Calls `guilty` and, once it has begun, another operation until it ends. What runs in the same process at the moment
 * it begins may be lost with it (docs/guarantees.md); whatever comes later may not.
 */
async function whileOthersGoOn(guiltyName: string): Promise<{ end: Answer; lagMs: number; others: Answer[] }> {
  const warm = await timed(guiltyName, { warm: true });
  expect(warm.status).toBe(200);
  expect((await timed("identity", 0)).status).toBe(200);
  const guilty = timed(guiltyName, {});
  await new Promise((resolve) => setTimeout(resolve, 100 + warm.ms));
  const others: Promise<Answer>[] = [];
  const bare: Promise<number>[] = [];
  const run = { isOver: false };
  void guilty.finally(() => (run.isOver = true));
  while (!run.isOver) {
    others.push(timed("identity", others.length));
    bare.push(bareMs());
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  return { end: await guilty, lagMs: Math.max(...(await Promise.all(bare))), others: await Promise.all(others) };
}

function expectUnharmed(others: readonly Answer[], lagMs: number): void {
  expect(others.length).toBeGreaterThan(5);
  expect(others.map((each) => [each.status, each.body])).toEqual(others.map((_, n) => [200, n]));
  expect(Math.max(...others.map((each) => each.ms))).toBeLessThan(1_000 + lagMs);
}

describe("code that does not give back", () => {
  it("the thread: 504 within its time-out and a second, others answer within a second", async () => {
    await install(dev, "spins", "export function spins({ warm }) { while (!warm); return 0; }", { timeout_ms: 1_500 });
    const { end, lagMs, others } = await whileOthersGoOn("spins");
    expect(end).toMatchObject({ status: 504, body: { code: "timeout" } });
    expect(end.ms).toBeLessThan(2_500 + lagMs);
    expectUnharmed(others, lagMs);
  });

  it("2 GB of memory: 503 executor_lost, others are unharmed", async () => {
    await install(
      dev,
      "eats",
      `export function eats({ warm }) {
         const all = [];
         for (let i = 0; i < (warm ? 0 : 64); i++) all.push(new Uint8Array(${32 * MIB}).fill(1));
         return all.length;
       }`,
      { timeout_ms: 20_000 },
    );
    const { end, lagMs, others } = await whileOthersGoOn("eats");
    expect(end).toMatchObject({ status: 503, body: { code: "executor_lost" } });
    expectUnharmed(others, lagMs);
  });

  it("memory that each of 300 operations keeps: the processes are replaced before it is too much, no call is lost", async () => {
    // Some 900 MB together, were they all kept.
    const keeps = `const kept = new Uint8Array(${2 * MIB}).fill(1); export function keeps(input) { return [input, kept.length]; }`;
    await install(dev, "keeps", keeps);
    let peakBytes = 0;
    const put = { method: "PUT", body: '{"implemented_at":"keeps:keeps"}' };
    // One after the other: writers that meet only try again.
    for (let n = 0; n < 300; n++) expect((await dev.request(`/registry/operations/keeps_${n}`, put)).status).toBe(200);
    for (let from = 0; from < 300; from += 6) {
      const numbers = Array.from({ length: 6 }, (_, i) => from + i);
      const answers = await Promise.all(numbers.map((n) => dev.call(`keeps_${n}`, n)));
      expect(answers.map(({ status, body }) => [status, body])).toEqual(numbers.map((n) => [200, [n, 2 * MIB]]));
      peakBytes = Math.max(peakBytes, ...executorPids().map(residentBytes));
    }
    expect(peakBytes).toBeGreaterThan(100 * MIB);
    // Drained at 512 MiB; what comes in before the next look is on top.
    expect(peakBytes).toBeLessThan(700 * MIB);
  });
});

describe("code that reaches out", () => {
  let canary: Server;
  let port: number;
  let visits = 0;

  beforeAll(async () => {
    canary = createServer((_request, response) => {
      visits += 1;
      response.end("reached");
    }).listen(0, "127.0.0.1");
    await once(canary, "listening");
    ({ port } = canary.address() as AddressInfo);
    const code = "export async function reach(url) { const r = await fetch(url); return [r.status, await r.text()]; }";
    const local = ["127.0.0.1", "localhost", "0.0.0.0"].flatMap((host) => [`${host}:${port}`, `${host}:${dev.port}`]);
    await install(dev, "reach_nothing", code);
    await install(dev, "reach_other", code, { network: ["example.com"] });
    await install(dev, "reach_local", code, {
      network: [...local, "169.254.169.254", "metadata.google.internal", "100.100.100.200"],
    });
  });
  afterAll(() => void canary?.close());

  it.each([
    ["reach_nothing", /not permitted to access the internet/],
    ["reach_other", /must name the host/],
    ["reach_local", /must name the host|must be reachable at a public address/],
  ])("%s gets nowhere on this machine or the metadata services, in any spelling", async (name, reason) => {
    const urls = [
      ...LOOPBACK_SPELLINGS.map((host) => `http://${host}:${port}/`),
      `http://127.0.0.1:${dev.port}/health`,
      "http://169.254.169.254/latest/meta-data",
      "http://2852039166/",
      "http://0xa9fea9fe/",
      "http://[::ffff:169.254.169.254]/",
      "http://[fd00:ec2::254]/",
      "http://metadata.google.internal/",
      "http://100.100.100.200/",
    ];
    const answers = await Promise.all(urls.map((url) => dev.call(name, url)));
    for (const [n, { status, body }] of answers.entries()) {
      expect({ url: urls[n], status, body }).toMatchObject({
        status: 502,
        body: { code: "implementation_failed", detail: expect.stringMatching(reason) },
      });
    }
    expect(visits).toBe(0);
  });

  it("finds no globals of another operation, nor of its own other revision", async () => {
    const code =
      "export function shared() { const seen = globalThis.left; globalThis.left = (seen ?? 0) + 1; return seen ?? null; }";
    await install(dev, "shared", code);
    await install(dev, "shared_too", code);
    expect([(await dev.call("shared", {})).body, (await dev.call("shared", {})).body]).toEqual([null, 1]);
    expect((await dev.call("shared_too", {})).body).toBe(null);
    await install(dev, "shared", `${code}\n// changed`);
    expect((await dev.call("shared", {})).body).toBe(null);
  });
});

describe("secrets", () => {
  const value = "correct-horse-battery-staple";

  beforeAll(async () => {
    for (const name of ["api_key", "other_key"]) {
      const put = { method: "PUT", body: JSON.stringify({ value: name === "api_key" ? value : "not-for-this-one" }) };
      const response = await dev.request(`/registry/secrets/${name}`, put);
      expect(response.status, await response.text()).toBe(200);
    }
    const code = `export function tells({ how }, ctx) {
      if (how === "names") return [Object.keys(ctx.secrets), ctx.secrets.other_key ?? null, ctx.secrets.api_key === ${JSON.stringify(value)}];
      if (how === "log") { ctx.log.info("the key is " + ctx.secrets.api_key, { deep: ctx.secrets }); return null; }
      throw new Error("cannot use " + ctx.secrets.api_key);
    }`;
    await install(dev, "tells", code, { secrets: ["api_key"] });
    await install(dev, "tells_none", code);
  });

  it("are those that the row lists, and no others", async () => {
    expect((await dev.call("tells", { how: "names" })).body).toEqual([["api_key"], null, true]);
    expect((await dev.call("tells_none", { how: "names" })).body).toEqual([[], null, false]);
  });

  it("are blotted out of a thrown error, in the answer and in the record", async () => {
    const { status, body, headers } = await dev.call("tells", { how: "throw" });
    expect([status, body]).toMatchObject([502, { detail: "cannot use [secret api_key]" }]);
    let record: unknown;
    await waitUntil(async () => {
      const response = await dev.request(`/executions/${headers.get("execution-id")}`);
      record = await response.json();
      return response.ok;
    }, 5_000);
    expect(record).toMatchObject({ error: { detail: "cannot use [secret api_key]" } });
  });

  it("are blotted out of what opctl dev prints", async () => {
    expect((await dev.call("tells", { how: "log" })).status).toBe(200);
    const line = '[tells] the key is [secret api_key] {"deep":{"api_key":"[secret api_key]"}}';
    await waitUntil(
      () => dev.output().includes(line),
      5_000,
      () => dev.output().slice(-2_000),
    );
    expect(dev.output()).not.toContain(value);
  });

  it("are in no answer of the registry", async () => {
    for (const path of ["/registry/secrets", "/registry/secrets/api_key/revisions", "/changes?limit=1000"])
      expect(await (await dev.request(path)).text()).not.toContain(value);
  });
});

/** The executor processes: children of `opctl dev` whose configuration lies in the supervisor's folder. */
function executorPids(): number[] {
  const children = readFileSync(`/proc/${dev.child.pid}/task/${dev.child.pid}/children`, "utf8");
  return children
    .trim()
    .split(" ")
    .map(Number)
    .filter((pid) => existsSync(`/proc/${pid}`) && commandLine(pid).includes(".capnp"));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** 0 when it has just ended. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096;
  } catch {
    return 0;
  }
}
