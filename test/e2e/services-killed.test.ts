/** kill -9 for the process that holds the services' objects: the runner and its replicas outlive it, and nothing is there twice. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { childOf, waitUntil, type Dev } from "./_platform.ts";
import {
  alive,
  install,
  isAlive,
  observe,
  ready,
  startRack,
  untilService,
  type Log,
  type Runner,
} from "./_services.ts";

let dev: Dev;
let runner: Runner;
beforeAll(async () => {
  ({ dev, runner } = await startRack());
});
afterAll(async () => {
  await runner.end();
  await dev.stop();
});

const pidOf = (body: unknown): number => (body as { pid: number }).pid;

const connections = (): number => runner.said().split("connected to rack-1").length;

/** Until the platform and its runner are back. */
async function killEdge(): Promise<void> {
  const before = connections();
  process.kill(childOf(dev, "--binary"), "SIGKILL");
  await waitUntil(
    () => connections() > before,
    40_000,
    () => dev.output() + runner.said(),
  );
}

/** One replica, one process, and calls come to it. */
async function isWhole(name: string, log: Log): Promise<number> {
  const { status, body } = await dev.call(name, {});
  expect([status, body]).toEqual([200, expect.anything()]);
  await untilService(dev, name, (seen) => alive(seen).length === 1 && ready(seen).length === 1);
  await waitUntil(
    () => log.begins().filter(isAlive).length === 1,
    20_000,
    () => `${name}: ${log.begins().filter(isAlive).length} processes`,
  );
  expect(log.begins().filter(isAlive)).toEqual([pidOf(body)]);
  return pidOf(body);
}

async function undeployed(name: string, log: Log): Promise<void> {
  expect((await dev.call("undeploy_service", { name })).status).toBe(200);
  await waitUntil(() => !log.begins().some(isAlive), 20_000);
  await untilService(dev, name, (status) => alive(status).length === 0);
}

test.each([
  ["before anything was started", "at_once", (): boolean => true],
  ["when its process has begun", "begun", (log: Log): boolean => log.begins().length > 0],
  ["when its process listens", "listening", (log: Log): boolean => log.starts().length > 0],
] as const)("killed while a service starts, %s, it has one replica afterwards", async (_what, name, hasCome) => {
  const log = await install(dev, name, { variables: { START_MS: "500" } });
  const lost = dev.call(name, {}).catch(() => undefined);
  await waitUntil(() => hasCome(log), 20_000);
  await killEdge();
  await lost;
  await isWhole(name, log);
  await undeployed(name, log);
});

test("killed while a service serves, it goes on with the same process", async () => {
  const log = await install(dev, "serving");
  const first = await isWhole("serving", log);
  for (let kills = 0; kills < 2; kills++) {
    const back = new AbortController();
    const over = new AbortController();
    const failed: unknown[] = [];
    let answered = 0;
    const load = Array.from({ length: 4 }, async () => {
      while (!over.signal.aborted) {
        const isBack = back.signal.aborted;
        const answer = await dev.call("serving_slow", { ms: "20" }).catch(() => undefined);
        if (answer?.status === 200) answered += isBack ? 1 : 0;
        // While it was away nobody answers.
        else if (isBack) failed.push(answer?.body);
      }
    });
    await killEdge();
    back.abort();
    await waitUntil(() => answered > 20 || failed.length > 0, 30_000);
    over.abort();
    await Promise.all(load);
    expect(failed).toEqual([]);
    expect(await isWhole("serving", log)).toBe(first);
  }
  expect(log.begins()).toEqual([first]);
  expect((await observe(dev, "serving")).crashes.failures).toBe(0);
  await undeployed("serving", log);
});

test("killed while a service is stopped, it is stopped all the same", async () => {
  const log = await install(dev, "stopping", { variables: { MODE: "ignores_sigterm" }, stop_ms: 1_500 });
  const { body } = await dev.call("stopping", {});
  await dev.call("undeploy_service", { name: "stopping" });
  await untilService(dev, "stopping", ({ replicas }) => replicas.some(({ phase }) => phase === "stopping"));
  await killEdge();
  await waitUntil(() => !isAlive(pidOf(body)), 20_000);
  await untilService(dev, "stopping", (status) => alive(status).length === 0);
  expect(log.begins()).toHaveLength(1);
  await isWhole("stopping", log);
});
