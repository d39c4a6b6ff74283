/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** The object that counters outlive isolates in, on the real runtime, with reporters of several isolates. */
import { evictDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { MetricsBoard, Report } from "../../src/metrics/metrics-board.ts";
import { Reporter, type BoardNamespace } from "../../src/metrics/reporter.ts";
import { OTHER, type Delta, type Instrument } from "../../src/telemetry/instruments.ts";

const { METRICS_BOARD } = bindings as unknown as { METRICS_BOARD: DurableObjectNamespace<MetricsBoard> };
const DAY = 24 * 60 * 60_000;

let boards = 0;
let board: string;
let now = Date.now();
beforeEach(() => {
  board = `board ${++boards}`;
  vi.spyOn(Date, "now").mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

const stub = () => METRICS_BOARD.getByName(board);
const read = async (): Promise<Delta[]> => JSON.parse(await stub().read()) as Delta[];
const add = (source: string, seq: number, deltas: Delta[]) =>
  stub().add(JSON.stringify({ source, seq, deltas } satisfies Report));
const retries = (name: string, count = 1): Delta => ["retries", [name], [count]];
const countOf = (series: Delta[], instrument: Instrument, ...labels: string[]) =>
  series.find(([name, values]) => name === instrument && values.join() === labels.join())?.[2][0];

/** Work in the background is done when `settled` is called, and no time passes. */
function isolate(namespace: BoardNamespace = { getByName: () => stub() }) {
  const work: (() => Promise<void>)[] = [];
  const reporter = new Reporter({
    namespace,
    background: (promise) => void work.push(() => promise),
    now: () => now,
    sleep: async () => undefined,
  });
  const settled = async () => {
    for (let done = 0; done < work.length; done++) await work[done]?.();
  };
  return { reporter, meter: reporter.meter, settled, flushes: () => work.length };
}

test("adds up what several isolates have counted, and keeps it when they and it are gone", async () => {
  const isolates = [isolate(), isolate(), isolate()];
  for (const [n, { meter }] of isolates.entries()) {
    meter.call({ operation: "echo", environment: "inline", code: null, ms: 250 });
    for (let more = 0; more < n; more++) meter.count("retries", "echo");
  }
  for (const { settled } of isolates) await settled();
  await evictDurableObject(stub());
  const series = await read();
  expect(countOf(series, "calls", "echo", "inline", "succeeded", "")).toBe(3);
  expect(countOf(series, "retries", "echo")).toBe(3);
  const cells = series.find(([name]) => name === "call_duration")?.[2];
  expect([cells?.[6], cells?.at(-1)]).toEqual([3, 0.75]);
});

test("counts a message once, however often and however late it is repeated", async () => {
  await add("a", 1, [retries("echo")]);
  await add("a", 1, [retries("echo")]);
  await add("a", 2, [retries("echo")]);
  await add("a", 1, [retries("echo")]);
  await add("b", 1, [retries("echo")]);
  expect(countOf(await read(), "retries", "echo")).toBe(3);
});

test("loses nothing and doubles nothing when answers are lost: a report is sent again as it was", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  let losing = true;
  const { meter, reporter, settled } = isolate({
    getByName: () => ({
      read: () => stub().read(),
      async add(text: string) {
        await stub().add(text);
        if (losing) throw new Error("the answer was lost");
      },
    }),
  });
  meter.count("retries", "echo");
  await settled();
  meter.count("retries", "echo");
  await settled();
  losing = false;
  meter.count("retries", "echo");
  expect(countOf(await reporter.read(), "retries", "echo")).toBe(3);
});

test("reads what this isolate has counted a moment ago", async () => {
  const { meter, reporter } = isolate();
  meter.count("errors", "timeout");
  expect(countOf(await reporter.read(), "errors", "timeout")).toBe(1);
});

test("goes on by itself with what is counted while a message is on its way", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { meter, settled, flushes } = isolate({
    getByName: () => ({
      read: () => stub().read(),
      async add(text: string) {
        await promise;
        await stub().add(text);
      },
    }),
  });
  meter.count("retries", "echo");
  // Taken, and held up on its way.
  await Promise.resolve().then(() => undefined);
  meter.count("retries", "echo");
  expect(flushes()).toBe(1);
  resolve();
  await settled();
  expect(countOf(await read(), "retries", "echo")).toBe(2);
});

test("knows a thousand operations by name; the rest are counted together", async () => {
  await add(
    "a",
    1,
    Array.from({ length: 1_000 }, (_, n) => retries(`op${n}`)),
  );
  await add("a", 2, [retries("late", 2), retries("later", 3), retries("op5")]);
  const series = await read();
  expect(series).toHaveLength(1_001);
  expect(countOf(series, "retries", OTHER)).toBe(5);
  expect(countOf(series, "retries", "op5")).toBe(2);
  expect(countOf(series, "retries", "late")).toBeUndefined();
});

test("gives the place of a name that was not heard of for a month to a new one", async () => {
  await add(
    "a",
    1,
    Array.from({ length: 1_000 }, (_, n) => retries(`op${n}`)),
  );
  now += 31 * DAY;
  await add(
    "a",
    2,
    Array.from({ length: 999 }, (_, n) => retries(`op${n + 1}`)),
  );
  await add("a", 3, [retries("new"), retries("newer")]);
  const series = await read();
  expect(countOf(series, "retries", "new")).toBe(1);
  expect(countOf(series, "retries", "op0")).toBeUndefined();
  expect(countOf(series, "retries", OTHER)).toBe(1);
});

test("counts under codes of the table only, and knows no other instrument", async () => {
  await add("a", 1, [
    ["errors", ["timeout"], [1]],
    ["errors", ["made up"], [1]],
    ["errors", ["made up too"], [1]],
    ["nonsense" as Instrument, ["x"], [1]],
  ]);
  expect(await read()).toEqual([
    ["errors", [OTHER], [2]],
    ["errors", ["timeout"], [1]],
  ]);
});
