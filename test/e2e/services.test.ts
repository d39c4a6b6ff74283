/** Services on the real platform and a real runner: they become hot when asked, cold when not, and what breaks is mended or said. */
import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil, type Dev } from "./_platform.ts";
import {
  alive,
  install,
  isAlive,
  observe,
  put,
  ready,
  startRack,
  startRunner,
  untilService,
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

type Answer = { pid: number; version: string };
const call = async (name: string, input: unknown = {}): Promise<Answer> => {
  const { status, body } = await dev.call(name, input);
  expect([status, body]).toEqual([200, expect.anything()]);
  return body as Answer;
};

test("is deployed by the first call, answers the next warm, and goes cold by an edit of its state machine", async () => {
  const made = await dev.request("/registry/state_machines/hot_cold/duplicate", {
    method: "POST",
    body: JSON.stringify({ name: "short_lived" }),
  });
  expect(made.status).toBe(200);
  const log = await install(dev, "albums", { state_machine: "short_lived" });
  expect(await observe(dev, "albums")).toMatchObject({ state: "cold", replicas: [] });
  const { pid } = await call("albums");
  expect(await call("albums")).toMatchObject({ pid });
  expect(log.starts()).toHaveLength(1);
  const hot = await observe(dev, "albums");
  expect(hot).toMatchObject({ state: "hot", problem: null, replicas: [{ phase: "ready", place: "desk" }] });
  expect(hot.because.join()).toContain("waiting > 0");

  const edited = await dev.opctl([
    "edit",
    "state-machine",
    "short_lived",
    "-s",
    'transitions=[{"name":"warm_up","from":"cold","to":"hot","when":{"fact":"waiting","op":">","value":0}},{"name":"cool_down","from":"hot","to":"cold","when":{"fact":"idle_seconds","op":">=","value":1}}]',
  ]);
  expect(edited).toMatchObject({ code: 0 });
  await untilService(dev, "albums", (status) => status.state === "cold" && alive(status).length === 0);
  expect(log.ends()).toEqual([pid]);
  const again = await call("albums");
  expect(again.pid).not.toBe(pid);
});

test("is deployed once for two hundred first calls, and answers all of them", async () => {
  const log = await install(dev, "burst", { variables: { START_MS: "300" } });
  const answers = await Promise.all(Array.from({ length: 200 }, () => call("burst")));
  expect(new Set(answers.map(({ pid }) => pid)).size).toBe(1);
  expect(log.starts()).toHaveLength(1);
});

describe("a process that", () => {
  test("dies while it serves is replaced; what is safe to repeat is repeated", async () => {
    const log = await install(dev, "mortal");
    await call("mortal");
    const killed = await dev.call("mortal_die", {});
    expect(killed).toMatchObject({ status: 503, body: { code: "executor_lost" } });
    // Whatever the controller knows by now: a GET comes to an answer.
    const answers = await Promise.all(Array.from({ length: 20 }, () => call("mortal")));
    expect(new Set(answers.map(({ pid }) => pid)).size).toBe(1);
    expect(log.starts()).toHaveLength(2);
  });

  test("dies while it starts is tried again, and said to be looping with its last words", async () => {
    await install(dev, "stillborn", { variables: { MODE: "dies_starting" } });
    const { status, body } = await dev.call("stillborn", {});
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: "service_crash_looping" });
    expect(JSON.stringify(body)).toContain("cannot read /etc/albums.conf");
    const { crashes } = await observe(dev, "stillborn");
    expect(crashes.looping).toBe(true);
    expect(crashes.failures).toBeGreaterThanOrEqual(3);
    // Mended, it is not made to wait for what failed before.
    await put(dev, "/registry/services/stillborn", {
      ...((await (await dev.request("/registry/services/stillborn")).json()) as object),
      variables: {},
      meta: undefined,
    });
    await call("stillborn");
  });

  test("never becomes healthy is stopped, and the reason is said", async () => {
    const log = await install(dev, "sick", {
      variables: { MODE: "never_healthy" },
      health: { path: "/health", interval_ms: 200, start_ms: 300 },
    });
    const { status, body } = await dev.call("sick", {});
    expect(status).toBe(503);
    expect(JSON.stringify(body)).toMatch(/healthy within 300 ms: (?:nothing listens|.*503)/);
    await waitUntil(() => log.starts().every(({ pid }) => !isAlive(pid)), 10_000);
  });

  test("ignores SIGTERM is killed after stop_ms", async () => {
    const log = await install(dev, "stubborn", { variables: { MODE: "ignores_sigterm" }, stop_ms: 300 });
    const { pid } = await call("stubborn");
    expect((await dev.call("undeploy_service", { name: "stubborn" })).status).toBe(200);
    await waitUntil(() => !isAlive(pid), 10_000);
    await untilService(dev, "stubborn", (status) => alive(status).length === 0);
    expect(log.starts()).toHaveLength(1);
  });

  test("falls ill is replaced before it is stopped", async () => {
    const log = await install(dev, "ill", { health: { path: "/health", interval_ms: 100, failures: 2 } });
    const { pid } = await call("ill");
    await call("ill_sicken");
    await waitUntil(() => log.ends().includes(pid), 20_000);
    const [, second] = log.starts();
    expect((await call("ill")).pid).toBe(second?.pid);
  });
});

test("a new revision rolls without a failed request", async () => {
  const log = await install(dev, "rolled", { replicas: { min: 1, max: 3 } });
  await call("rolled");
  await untilService(dev, "rolled", (status) => ready(status).length === 1);
  const over = new AbortController();
  const seen = new Set<string>();
  const load = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) seen.add((await call("rolled_slow", { ms: "20" })).version);
  });
  const row = (await (await dev.request("/registry/services/rolled")).json()) as { variables: object };
  const patch = { variables: { ...row.variables, VERSION: "2" } };
  await dev.request("/registry/services/rolled", { method: "PATCH", body: JSON.stringify(patch) });
  await waitUntil(async () => (await call("rolled")).version === "2", 20_000);
  await waitUntil(() => log.ends().length === 1, 20_000);
  over.abort();
  await Promise.all(load);
  expect([...seen].toSorted()).toEqual(["1", "2"]);
});

test("a new revision that needs the port of the one before says so at a glance, and what to do", async () => {
  const port = await freePort();
  await install(dev, "pinned", { port });
  const first = await call("pinned");
  expect(await dev.opctl(["edit", "service", "pinned", "-s", 'variables={"VERSION":"2"}'])).toMatchObject({ code: 0 });
  await untilService(dev, "pinned", ({ crashes }) => crashes.failures > 0);
  const { stdout } = await dev.opctl(["get", "service", "pinned"]);
  const [{ replica } = { replica: "" }] = (await observe(dev, "pinned")).replicas;
  expect(stdout).toMatch(/Crashes|It does not come up/);
  expect(stdout).toContain(
    `Cannot listen on port ${port}: it must be free on the runner; the service's own ${replica} has it until another is ready: start a second runner, or let the row's port be null`,
  );
  expect(await call("pinned")).toEqual(first);

  expect(await dev.opctl(["edit", "service", "pinned", "-s", "port=null"])).toMatchObject({ code: 0 });
  await expect.poll(async () => (await call("pinned")).version, { timeout: 20_000 }).toBe("2");
});

test("is refused while it is switched off, and stopped", async () => {
  const log = await install(dev, "off");
  const { pid } = await call("off");
  await dev.request("/registry/services/off", { method: "PATCH", body: JSON.stringify({ active: false }) });
  await waitUntil(() => log.ends().includes(pid), 10_000);
  expect(await dev.call("off", {})).toMatchObject({ status: 503, body: { code: "service_inactive" } });
});

test("three replicas whose runner vanishes come back on another", async () => {
  const other = await startRunner(dev, "attic");
  try {
    await put(dev, "/registry/state_machines/three", {
      initial: "on",
      states: { on: { replicas: 3 } },
      transitions: [],
    });
    await runner.end();
    const log = await install(dev, "three", { state_machine: "three" });
    await untilService(dev, "three", (status) => ready(status).length === 3);
    const before = log.starts().map(({ pid }) => pid);
    runner = await startRunner(dev, "desk");
    await other.end("SIGKILL");
    await untilService(
      dev,
      "three",
      (status) =>
        ready(status).length === 3 &&
        status.replicas.every(({ phase, place }) => phase !== "ready" || place === "desk"),
      40_000,
    );
    expect(before).not.toContain((await call("three")).pid);
  } finally {
    await other.end();
  }
});
