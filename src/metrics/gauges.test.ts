import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { readGauges } from "./gauges.ts";
import { INSTRUMENTS } from "../telemetry/instruments.ts";

const page = readFileSync("docs/telemetry.md", "utf8");
const rows = new Map(
  [...page.matchAll(/^\| `(switchyard_\w+)` +\| [^|]*\| ([^|]*)\|/gm)].map(([, name = "", labels = ""]) => [
    name,
    [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
  ]),
);

describe("docs/telemetry.md", () => {
  it("has a row for each metric, with its labels, and no other", async () => {
    const gauges = await readGauges({
      shards: [async () => ({ ready: 1, running: 2 })],
      pools: async () => ["rack-1"],
      pool: async () => ({ runners: [], queued: 0 }),
      registryAgeMs: () => 1,
    });
    const real = new Map<string, readonly string[]>([
      ...Object.values(INSTRUMENTS).map(({ name, labels }): [string, readonly string[]] => [name, labels]),
      ...gauges.map(({ name, samples }): [string, string[]] => [name, Object.keys(samples[0]?.labels ?? {})]),
    ]);
    expect(rows).toEqual(real);
  });
});

const silent = () => new Promise<never>(() => undefined);
const broken = () => Promise.reject(new Error("gone"));

describe("readGauges()", () => {
  const runner = { name: "a", version: "1", capabilities: {}, runs: [], replicas: 0, services: {}, last_seen_at: 0 };

  it("waits for nobody longer than half a second, and says who did not answer", async () => {
    vi.useFakeTimers();
    const reading = readGauges({
      shards: [async () => ({ ready: 1, running: 2 }), silent, broken],
      pools: async () => ["rack-1", "rack-2"],
      pool: (name) => (name === "rack-1" ? silent() : Promise.resolve({ runners: [], queued: 4 })),
      registryAgeMs: () => undefined,
    });
    await vi.advanceTimersByTimeAsync(500);
    const gauges = await reading;
    vi.useRealTimers();
    const of = (name: string) => gauges.find((gauge) => gauge.name === name)?.samples;
    expect(of("switchyard_executions_running")).toEqual([{ labels: { shard: "0" }, value: 2 }]);
    expect(of("switchyard_runner_queue")).toEqual([{ labels: { environment: "rack-2" }, value: 4 }]);
    expect(of("switchyard_registry_age_seconds")).toEqual([]);
    expect(of("switchyard_scrape_unanswered")).toEqual([
      { labels: { source: "shard" }, value: 2 },
      { labels: { source: "pool" }, value: 1 },
      { labels: { source: "registry" }, value: 0 },
    ]);
  });

  it("counts the slots of runners that are connected, and all calls that runners have", async () => {
    const gauges = await readGauges({
      shards: [],
      pools: async () => ["rack-1"],
      pool: async () => ({
        runners: [
          { ...runner, slots: 4, in_flight: 1, state: "connected" },
          { ...runner, slots: 2, in_flight: 2, state: "draining" },
        ],
        queued: 0,
      }),
      registryAgeMs: () => 1_500,
    });
    const value = (name: string) => gauges.find((gauge) => gauge.name === name)?.samples[0]?.value;
    expect(
      ["switchyard_runner_slots", "switchyard_runner_slots_busy", "switchyard_registry_age_seconds"].map(value),
    ).toEqual([4, 3, 1.5]);
  });
});
