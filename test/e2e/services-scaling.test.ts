/** A service that scales by itself on the real platform: out under load, in again without it, no sooner than its cool-downs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil, type Dev } from "./_platform.ts";
import { alive, install, isAlive, put, ready, startRack, untilService, type Json, type Runner } from "./_services.ts";

let dev: Dev;
let runner: Runner;
beforeAll(async () => {
  ({ dev, runner } = await startRack());
});
afterAll(async () => {
  await runner.end();
  await dev.stop();
});

const COOLDOWN_S = 5;
const replicas = (op: string, value: number): Json => ({ fact: "replicas", op, value });
const rate = (op: string, value: number): Json => ({ fact: "requests_per_second", op, value });

/** As hot_cold_scaled, and a replica is said to be good for no more than one request in a second. */
const EAGER = {
  initial: "cold",
  states: { cold: { replicas: 0 }, hot: {} },
  transitions: [
    { name: "warm_up", from: "cold", to: "hot", when: { fact: "waiting", op: ">", value: 0 } },
    {
      name: "scale_out",
      from: "hot",
      to: "hot",
      when: { any: [1, 2].map((count) => ({ all: [replicas("<=", count), rate(">", count)] })) },
      scale_by: 1,
      cooldown_s: COOLDOWN_S,
    },
    {
      name: "scale_in",
      from: "hot",
      to: "hot",
      when: {
        all: [
          { fact: "idle_seconds", op: "<", value: 25 },
          { any: [1, 2].map((count) => ({ all: [replicas(">", count), rate("<", 0.5 * count)] })) },
        ],
      },
      scale_by: -1,
      cooldown_s: COOLDOWN_S,
    },
    { name: "cool_down", from: "hot", to: "cold", when: { fact: "idle_seconds", op: ">=", value: 25 } },
  ],
};

type Event = { at: string; what: string };

test("goes out under load and in again when it ends, and no request fails of it", async () => {
  await put(dev, "/registry/state_machines/eager", EAGER);
  const log = await install(dev, "busy", { state_machine: "eager", replicas: { min: 1, max: 3 } });
  const pids = new Set<number>();
  const failed: unknown[] = [];
  const over = new AbortController();
  const load = Array.from({ length: 3 }, async () => {
    while (!over.signal.aborted) {
      const { status, body } = await dev.call("busy_slow", { ms: "200" });
      if (status === 200) pids.add((body as { pid: number }).pid);
      else failed.push(body);
    }
  });
  try {
    await untilService(dev, "busy", (status) => ready(status).length === 3, 60_000);
    await waitUntil(() => pids.size === 3, 10_000);
  } finally {
    over.abort();
    await Promise.all(load);
  }
  // Once in a while somebody still comes, while it scales in.
  await untilService(dev, "busy", (status) => alive(status).length === 1, 60_000);
  expect(await dev.call("busy", {})).toMatchObject({ status: 200 });
  expect(failed).toEqual([]);
  const { body } = await dev.call("observe_service", { name: "busy" });
  const { events } = body as { events: Event[] };
  for (const name of ["scale_out", "scale_in"]) {
    const times = events.filter(({ what }) => what.startsWith(`${name}:`)).map(({ at }) => Date.parse(at));
    expect(times).toHaveLength(2);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(COOLDOWN_S * 1_000);
  }
  await untilService(dev, "busy", (status) => status.state === "cold" && alive(status).length === 0, 60_000);
  expect(log.begins().filter(isAlive)).toEqual([]);
  expect(log.begins()).toHaveLength(3);
}, 180_000);
