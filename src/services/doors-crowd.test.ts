/**
 * Crowds before one service, on the real runtime, where each request has a context of its own that ends when it likes. Not in vitest's
 * pool of workers: that switches off what the runtime does for promises that another request resolves.
 */
import http from "node:http";
import path from "node:path";
import type { Readable } from "node:stream";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { freePort } from "../../test/e2e/_platform.ts";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import type { Direction, Told } from "../../test/workerd/_doors-told.ts";

// Real time passes, and the machine may have others to serve.
vi.setConfig({ testTimeout: 30_000 });

let edge: Miniflare;
let url: string;
let said = "";
const agent = new http.Agent({ keepAlive: true, maxSockets: 2_000 });

beforeAll(async () => {
  const built = await build({
    entryPoints: [path.resolve(import.meta.dirname, "../../test/workerd/doors-edge.ts")],
    bundle: true,
    write: false,
    format: "esm",
    external: ["cloudflare:workers"],
  });
  const port = await freePort();
  edge = new Miniflare({
    workers: [
      {
        name: "doors",
        modules: [{ type: "ESModule", path: "worker.js", contents: built.outputFiles[0]?.text ?? "" }],
        compatibilityDate: "2026-07-01",
        durableObjects: { SERVICES: { className: "ServiceObject", useSQLite: true } },
        // Straight to the worker, so that it is its own clients that hang up.
        unsafeDirectSockets: [{ host: "127.0.0.1", port }],
      },
    ],
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      for (const stream of [stdout, stderr]) stream.on("data", (part: Buffer) => (said += part.toString()));
    },
  });
  await edge.ready;
  url = `http://127.0.0.1:${port}/`;
}, 60_000);
afterAll(async () => {
  agent.destroy();
  await edge.dispose();
});
beforeEach(() => {
  said = "";
});

let made = 0;

async function serviceOf(direction: Direction) {
  made += 1;
  const at = `${url}service_${made}`;
  await fetch(at, { method: "POST", body: JSON.stringify(direction) });
  /** The status; 0: the client hung up. */
  const get = (query = "", signal?: AbortSignal): Promise<number> =>
    new Promise((resolve) => {
      const asked = http.get(`${at}${query}`, { agent, signal }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode ?? 0));
      });
      asked.on("error", () => resolve(0));
    });
  const told = async (): Promise<Told> => (await (await fetch(at, { method: "OPTIONS" })).json()) as Told;
  return { get, told };
}

const many = async (count: number, get: () => Promise<number>): Promise<number[]> => [
  ...new Set(await Promise.all(Array.from({ length: count }, get))),
];
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it("a thousand requests at once wait behind one question, and each is let in", async () => {
  const { get, told } = await serviceOf({ startMs: 300 });
  expect(await many(1_000, () => get())).toEqual([200]);
  const { acquired } = await told();
  expect(acquired.filter(({ waitMs }) => waitMs > 0).length).toBeLessThanOrEqual(2);
  expect(said).toBe("");
});

it("a thousand requests wait longer than one question may take, and none is left behind", async () => {
  const { get, told } = await serviceOf({ startMs: 2_200 });
  expect(await many(1_000, () => get("?hold=5"))).toEqual([200]);
  const { acquired } = await told();
  expect(acquired.length).toBeLessThanOrEqual(9);
  expect(Math.max(...acquired.map(({ waiting }) => waiting))).toBe(1_000);
  expect(said).toBe("");
});

it("the request that asks for all gives up, and the others are let in", async () => {
  const { get, told } = await serviceOf({ startMs: 1_200 });
  const first = get("?wait=30");
  expect(await many(50, () => get())).toEqual([200]);
  expect(await first).toBe(503);
  expect((await told()).acquired.length).toBeLessThanOrEqual(6);
  expect(said).toBe("");
});

it("the client of the request that asks for all hangs up, and the others are let in", async () => {
  const { get } = await serviceOf({ startMs: 1_200 });
  const hangUp = new AbortController();
  const first = get("", hangUp.signal);
  await sleep(50);
  const others = many(50, () => get());
  await sleep(50);
  hangUp.abort();
  expect(await others).toEqual([200]);
  expect(await first).toBe(0);
  expect(said).toBe("");
});

it("a client that hangs up while its request is under way leaves nothing behind", async () => {
  const { get, told } = await serviceOf({});
  const hangUp = new AbortController();
  const first = get("?hold=700", hangUp.signal);
  await sleep(200);
  hangUp.abort();
  expect(await first).toBe(0);
  await expect.poll(async () => (await told()).reports.at(-1)?.inFlight, { timeout: 5_000 }).toEqual({});
});

it("a question that is never answered is asked again", async () => {
  const { get, told } = await serviceOf({ lost: 1 });
  expect(await many(20, () => get())).toEqual([200]);
  expect((await told()).acquired.filter(({ waitMs }) => waitMs > 0)).toHaveLength(2);
  expect(said).toBe("");
});

it("a long request is told of for as long as it goes on, though the others have ended; then no more is said", async () => {
  const { get, told } = await serviceOf({});
  const long = get("?hold=2200");
  expect(await many(20, () => get("?hold=10"))).toEqual([200]);
  expect(await long).toBe(200);
  const during = (await told()).reports.filter(({ inFlight }) => inFlight["r1"] === 1);
  expect(during.length).toBeGreaterThanOrEqual(3);
  await expect.poll(async () => (await told()).reports.at(-1)?.inFlight, { timeout: 3_000 }).toEqual({});
  const { acquired, reports } = await told();
  expect([...acquired, ...reports].reduce((sum, { begun }) => sum + begun, 0)).toBe(21);
  await sleep(1_200);
  expect((await told()).reports).toHaveLength(reports.length);
  expect(said).toBe("");
});

it("requests one after another renew one lease, and wait for nothing", async () => {
  const { get, told } = await serviceOf({});
  const until = Date.now() + 1_600;
  let count = 0;
  for (; Date.now() < until; count++) expect(await get()).toBe(200);
  const { acquired, reports } = await told();
  expect(acquired.length).toBeLessThanOrEqual(5);
  expect(reports.length).toBeLessThanOrEqual(5);
  expect(count).toBeGreaterThan(20);
});
