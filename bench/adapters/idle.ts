/** What 200 runners of 5 slots cost the platform while there is nothing to do. The runners run in this process, without hosts. */
import { openRunnerDoor, type RunnerDoor } from "../../src/host/runner-door.node.ts";
import { processorUse, request, startPlatform, type Served } from "../_harness.ts";
import type { Measured } from "../musts.ts";
import { createRack, ENVIRONMENT } from "./runner.ts";

const RUNNERS = 200;
const SLOTS = 5;
const SETTLE_MS = 10_000;
const WINDOW_MS = 60_000;
const CONNECTED_WITHIN_MS = 30_000;

export async function measureIdleRunners(): Promise<Measured[]> {
  const [watched, empty] = [await startPlatform("process"), await startPlatform("process")];
  const doors: RunnerDoor[] = [];
  try {
    await createRack(watched);
    for (let number = 0; number < RUNNERS; number++) doors.push(openDoor(watched, number));
    await connected(watched);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const [used, usedByEmpty] = await Promise.all([processorUse(watched, WINDOW_MS), processorUse(empty, WINDOW_MS)]);
    await connected(watched);
    console.log(`\nprocessor time over ${WINDOW_MS / 1000} s, % of one core`);
    console.log(`with ${RUNNERS} runners: ${used.text}\nwith none: ${usedByEmpty.text}`);
    return [
      {
        measure: `${RUNNERS} runners × ${SLOTS} slots connected, idle: processor over ${WINDOW_MS / 1000} s, all processes`,
        ours: `${used.percent.toFixed(2)} %`,
        beside: `the same platform without any: ${usedByEmpty.percent.toFixed(2)} %`,
        must: "< 1 % of one core",
        holds: used.percent < 1,
      },
    ];
  } finally {
    for (const door of doors) door.close();
    await watched.stop();
    await empty.stop();
  }
}

function openDoor(served: Served, number: number): RunnerDoor {
  const door = openRunnerDoor({
    url: `http://127.0.0.1:${served.port}`,
    token: served.token,
    environment: ENVIRONMENT,
    version: "bench",
    name: `idle-${number}`,
    slots: SLOTS,
    capabilities: {},
    runs: ["module"],
    host: { run: () => Promise.reject(new Error("nothing was to run here")) },
    log: () => undefined,
  });
  door.ended.catch((error: unknown) => console.error(String(error)));
  return door;
}

async function connected(served: Served): Promise<void> {
  for (const giveUpAt = performance.now() + CONNECTED_WITHIN_MS; ;) {
    const response = await request(served, `/runners/${ENVIRONMENT}`, undefined, "GET");
    const { runners } = (await response.json()) as { runners: unknown[] };
    if (runners.length === RUNNERS) return;
    if (performance.now() > giveUpAt) throw new Error(`only ${runners.length} of ${RUNNERS} runners are connected`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
