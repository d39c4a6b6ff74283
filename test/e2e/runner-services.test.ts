/** Replicas of services on a runner's own end, against a real pool: what survives a broken connection, a platform that starts again, a drain. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { parseAllow } from "../../src/host/allow.ts";
import { createHost } from "../../src/host/core.node.ts";
import { anOrder } from "../../src/host/replicas/_server.test-help.node.ts";
import { Replicas } from "../../src/host/replicas/replicas.node.ts";
import { joinFrame, splitFrame } from "../../src/model/frame.ts";
import { HOST_PROTOCOL, type ReplicaWork } from "../../src/model/host-protocol.ts";
import type { ReplicaReport } from "../../src/model/services.ts";
import { openDoor, order, run, startPools, startProxy, status, toldTo, until, type Pools } from "./_pools.ts";

let pools: Pools;
const closing: (() => Promise<unknown> | void)[] = [];
beforeAll(async () => {
  pools = await startPools();
});
afterAll(() => pools.close());
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await until("no runner is left", async () => (await status(pools)).runners.length === 0);
});

async function open(url: string, name: string) {
  const replicas = new Replicas({ place: name, log: () => undefined });
  const host = createHost({
    runtime: "node",
    allow: parseAllow(["process:*"]),
    slots: 1,
    replicas,
    log: () => undefined,
  });
  const opened = openDoor(url, host, { name, replicas, runs: ["process", "replica"] });
  closing.push(
    () => replicas.close(0),
    () => opened.door.close(),
  );
  await until(`${name} is connected`, async () => (await status(pools)).runners.some((one) => one.name === name));
  return { ...opened, replicas };
}

let orders = 0;

/** The output's text, or the code of the failure. */
async function ask(on: string, work: ReplicaWork, { body = "", timeoutMs = 20_000 } = {}): Promise<string> {
  orders += 1;
  const meta = {
    execution_id: `ex_${orders}`,
    attempt: 1,
    operation: "shop",
    revision: 1,
    caller: { type: "service", id: "shop" },
    traceparent: "",
    timeout_ms: timeoutMs,
    capability: "",
  };
  const head = { protocol: HOST_PROTOCOL, isolate: "", work: { kind: "replica", ...work }, meta, platform_url: null };
  const answer = await run(
    pools,
    order(`r${orders}`, {
      order: joinFrame(head, body),
      runnable: "replica",
      on,
      beside: true,
      hold: false,
      isolate: "",
    }),
  );
  if (typeof answer !== "string") return answer.ok ? "ok" : answer.error.code;
  const [said, output] = splitFrame(answer);
  return output === "" ? said : output;
}

const start = async (on: string, replica: string) => JSON.parse(await ask(on, anOrder(replica))) as ReplicaReport;
const get = (on: string, replica: string, path = "/x") =>
  ask(on, { do: "request", replica, method: "GET", path, headers: {} });
const last = async (service = "shop") => (await toldTo(pools, service)).at(-1);

test("a replica is started, told of, asked beside a slot that is taken, and stopped", async () => {
  await open(pools.url, "desk");
  expect(await start("desk", "a")).toMatchObject({ status: "ready", place: "desk" });
  expect((await get("desk", "a")).split("\n")[1]).toBe("GET /x ");
  expect((await status(pools)).runners).toMatchObject([{ replicas: 1, services: { shop: 1 }, in_flight: 0 }]);
  await until("it is told", async () => (await last())?.replicas[0]?.status === "ready");
  expect((await toldTo(pools, "shop")).map(({ replicas }) => replicas[0]?.status)).toEqual(["starting", "ready"]);
  expect(await ask("desk", { do: "stop", replica: "a", grace_ms: 1_000 })).toBe("null");
  await until("its end is told", async () => (await last())?.replicas[0]?.status === "ended");
  expect((await status(pools)).runners).toMatchObject([{ replicas: 0 }]);
});

test("several hundred requests at once pass one slot by", async () => {
  await open(pools.url, "desk");
  await start("desk", "a");
  const answers = await Promise.all(Array.from({ length: 400 }, (_, at) => get("desk", "a", `/${at}`)));
  expect(answers.map((answer) => answer.split("\n")[1])).toEqual(answers.map((_, at) => `GET /${at} `));
});

test("one that dies is told of with its last words", async () => {
  await open(pools.url, "desk");
  await start("desk", "a");
  await get("desk", "a", "/exit");
  await until("its end is told", async () => (await last())?.replicas[0]?.status === "ended");
  expect((await last())?.replicas[0]).toMatchObject({ ended: "it ended with exit code 3", place: "desk" });
});

test("a connection that breaks for a moment changes nothing but the time of a request", async () => {
  const proxy = await startProxy(pools.port);
  closing.push(() => proxy.close());
  await open(proxy.url, "desk");
  await start("desk", "a");
  const before = (await toldTo(pools, "shop")).length;
  proxy.cut();
  expect((await get("desk", "a")).split("\n")[1]).toBe("GET /x ");
  expect((await toldTo(pools, "shop")).slice(before).every(({ lost }) => lost === null)).toBe(true);
});

test("a platform that starts again finds what there is, and a request waits for the runner to come back", async () => {
  await open(pools.url, "desk");
  await start("desk", "a");
  const [, before] = (await get("desk", "a", "/env")).split("\n");
  await pools.restart();
  const [, after] = (await get("desk", "a", "/env")).split("\n");
  expect(after).toBe(before);
  await until("it is told again", async () => (await last())?.replicas[0]?.replica === "a");
});

test("a runner that is lost is told to its services", async () => {
  const proxy = await startProxy(pools.port);
  closing.push(() => proxy.close());
  await open(proxy.url, "far");
  await start("far", "a");
  proxy.hold(true);
  await until("it is told as lost", async () => (await last())?.lost !== null, 20_000);
  expect(await last()).toMatchObject({
    place: "far",
    replicas: [],
    lost: expect.stringContaining("silent for") as string,
  });
  expect(await get("far", "a")).toBe("environment_unavailable");
});

test("one that drains is unready, and the runner goes when it was stopped", async () => {
  const { door, ended } = await open(pools.url, "desk");
  await start("desk", "a");
  door.drain();
  await until("it is unready", async () => (await last())?.replicas[0]?.status === "unready");
  expect((await get("desk", "a")).split("\n")[1]).toBe("GET /x ");
  expect(await ask("desk", { do: "stop", replica: "a", grace_ms: 1_000 })).toBe("null");
  expect(await ended).toBeUndefined();
});
