/** The runner's own end against a real pool: what is lost when a process, a connection or the platform is, and what not. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  cancel,
  openDoor,
  order,
  reply,
  run,
  startPools,
  startProxy,
  status,
  StubHost,
  until,
  type Pools,
} from "./_pools.ts";

let pools: Pools;
const closing: (() => void)[] = [];

beforeAll(async () => {
  pools = await startPools();
});
afterAll(() => pools.close());
afterEach(async () => {
  for (const close of closing.splice(0)) close();
  await until("no runner is left", async () => (await status(pools)).runners.length === 0);
});

const connected = (count = 1) =>
  until(
    `${count} connected`,
    async () => (await status(pools)).runners.filter((one) => one.state === "connected").length === count,
  );

function open(url: string, host: StubHost, more: Parameters<typeof openDoor>[2] = {}) {
  const opened = openDoor(url, host, more);
  closing.push(() => opened.door.close());
  return opened;
}

test("runs orders, never more at once than it has slots", async () => {
  const host = new StubHost();
  open(pools.url, host, { slots: 3 });
  const ids = Array.from({ length: 50 }, (_, at) => `many-${at}`);
  const answers = await Promise.all(ids.map((id) => run(pools, order(id))));
  expect(answers).toEqual(ids.map(reply));
  expect(host.most).toBeLessThanOrEqual(3);
});

test("carries 9 MiB there and back", async () => {
  open(pools.url, new StubHost());
  const text = "ž".repeat(4.5 * 1024 * 1024);
  expect((await run(pools, order("large", { order: text }))) === reply(text)).toBe(true);
});

test("a call that waits starts when a runner comes", async () => {
  const call = run(pools, order("waits"));
  await until("it waits", async () => (await status(pools)).queued === 1);
  open(pools.url, new StubHost());
  expect(await call).toBe(reply("waits"));
});

test("killed with -9 in the middle of work: the work is lost, another takes the next try, once", async () => {
  const child = spawn(process.execPath, ["test/e2e/_runner-child.ts", pools.url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  closing.push(() => child.kill("SIGKILL"));
  await connected();
  const call = run(pools, order("killed", { resume_ms: 200 }));
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  expect(await call).toMatchObject({ ok: false, error: { code: "executor_lost" }, retry: { kind: "may" } });
  expect(await call).not.toHaveProperty("unstarted");
  const host = new StubHost();
  open(pools.url, host, { name: "other" });
  expect(await run(pools, order("killed", { attempt: 2 }))).toBe(reply("killed"));
  expect(host.started).toEqual(["killed"]);
});

test("cut off both ways without a close: lost at the lease; back again, what it still runs is stopped and refused", async () => {
  const proxy = await startProxy(pools.port);
  closing.push(() => proxy.close());
  const host = new StubHost((text) => text === "cut");
  const { lines } = open(proxy.url, host);
  await connected();
  const startedAt = Date.now();
  const call = run(pools, order("cut"));
  await until("it runs", () => host.started.length === 1);
  proxy.hold(true);
  expect(await call).toMatchObject({ ok: false, error: { code: "executor_lost" } });
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  proxy.hold(false);
  proxy.cut();
  await until("it is stopped", () => host.cancelled.includes("cut"));
  await until("its answer is refused", () => lines.some((line) => /result of ex_cut was refused/.test(line)));
  expect(await run(pools, order("after"))).toBe(reply("after"));
});

test("cut off without a close while its clock is put back: it finds that out as ever", async () => {
  const proxy = await startProxy(pools.port);
  closing.push(() => proxy.close());
  const host = new StubHost(() => true);
  const { lines } = open(proxy.url, host);
  await connected();
  const call = run(pools, order("put-back"));
  await until("it runs", () => host.started.length === 1);
  proxy.hold(true);
  const realNow = Date.now;
  closing.push(() => (Date.now = realNow));
  // Whenever it looks it is earlier than before.
  const turnedAt = realNow();
  Date.now = () => 2 * turnedAt - realNow();
  await until("it gives up", () => lines.some((line) => line.includes("no sign of life")));
  Date.now = realNow;
  expect(await call).toMatchObject({ ok: false, error: { code: "executor_lost" } });
});

test("a connection that breaks is made again and the work goes on", async () => {
  const proxy = await startProxy(pools.port);
  closing.push(() => proxy.close());
  const host = new StubHost((text) => text === "resumed");
  const { lines } = open(proxy.url, host);
  await connected();
  const call = run(pools, order("resumed"));
  await until("it runs", () => host.started.length === 1);
  proxy.cut();
  // It ends while there is no connection, or just after: both must reach the waiter.
  host.release("resumed");
  expect(await call).toBe(reply("resumed"));
  expect(host.started).toEqual(["resumed"]);
  expect(lines.filter((line) => line.includes("connected to")).length).toBe(2);
});

test("the platform starts again in the middle of work: the later attempt gets the answer, and it ran once", async () => {
  const host = new StubHost((text) => text.startsWith("adopted"));
  open(pools.url, host, { slots: 4 });
  await connected();
  const lost = Promise.allSettled([run(pools, order("adopted-1")), run(pools, order("adopted-2"))]);
  await until("both run", () => host.started.length === 2);
  await pools.restart();
  await lost;
  await connected();
  host.release("adopted-1");
  await until("its result is kept", async () => (await status(pools)).runners[0]?.in_flight === 1);
  expect(await run(pools, order("adopted-1", { attempt: 2 }))).toBe(reply("adopted-1"));
  const second = run(pools, order("adopted-2", { attempt: 2 }));
  host.release("adopted-2");
  expect(await second).toBe(reply("adopted-2"));
  expect(host.started.toSorted()).toEqual(["adopted-1", "adopted-2"]);
});

test("what ends between the hello and the welcome reaches the waiter", async () => {
  const proxy = await startProxy(pools.port);
  closing.push(() => proxy.close());
  const host = new StubHost((text) => text === "between");
  open(proxy.url, host);
  await connected();
  const call = run(pools, order("between", { timeout_ms: 3_000 }));
  await until("it runs", () => host.started.length === 1);
  proxy.late(true);
  proxy.cut();
  await until("it is lost", async () => (await status(pools)).runners[0]?.state === "lost");
  // The pool has its hello; the welcome is on its way.
  await connected();
  host.release("between");
  await new Promise((resolve) => setImmediate(resolve));
  proxy.late(false);
  expect(await call).toBe(reply("between"));
});

test("a platform that takes the connection and never says welcome is left, and tried again", async () => {
  const proxy = await startProxy(pools.port);
  closing.push(() => proxy.close());
  proxy.late(true);
  const { lines } = open(proxy.url, new StubHost());
  await until("it gives up", () => lines.some((line) => line.includes("no welcome")), 9_000);
  proxy.late(false);
  await until("it is connected", () => lines.some((line) => line.includes("connected to")));
});

test("a cancelled call stops on the runner", async () => {
  const host = new StubHost((text) => text === "unwanted");
  open(pools.url, host);
  const call = run(pools, order("unwanted"));
  await until("it runs", () => host.started.length === 1);
  await cancel(pools, "unwanted");
  expect(await call).toMatchObject({ ok: false, error: { code: "execution_cancelled" } });
  await until("it is stopped", () => host.cancelled.includes("unwanted"));
});

test("drains: finishes what it has, takes nothing new, ends", async () => {
  const host = new StubHost((text) => text === "last");
  const { door, ended } = open(pools.url, host);
  const call = run(pools, order("last"));
  await until("it runs", () => host.started.length === 1);
  door.drain();
  await until("it drains", async () => (await status(pools)).runners[0]?.state === "draining");
  expect(await run(pools, order("new", { hold: false }))).toMatchObject({
    error: { code: "environment_unavailable" },
    unstarted: true,
  });
  host.release("last");
  expect(await call).toBe(reply("last"));
  expect(await ended).toBeUndefined();
});

test.each([
  ["an older protocol", { protocol: 0 }, "host_outdated", /npm i -g switchyard/],
  ["a token that is not known", { token: "sy_other_token" }, "token_unknown", /Cannot find the token/],
] as const)("%s ends it with the platform's reason", async (_what, more, code, said) => {
  const { ended } = open(pools.url, new StubHost(), more);
  expect(await ended).toMatchObject({ code });
  expect(String(await ended)).toMatch(said);
});

test("a second runner under a live name ends with the reason, and the first goes on", async () => {
  open(pools.url, new StubHost());
  await connected();
  const { ended } = open(pools.url, new StubHost());
  expect(String(await ended)).toMatch(/give this one its own --name/);
  expect(await run(pools, order("first"))).toBe(reply("first"));
});

test.each([[true], [false]])("a socket lost before its welcome is made again (with a reset: %s)", async (reset) => {
  const server = http.createServer((_request, response) => response.writeHead(426).end("{}"));
  let opened = 0;
  server.on("upgrade", (request, socket: net.Socket) => {
    opened += 1;
    // Either end may reset first; an upgraded socket has no listener of the server's any more.
    socket.on("error", () => undefined);
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    lines.push(`Sec-WebSocket-Accept: ${accept}`, "Sec-WebSocket-Protocol: switchyard.runner", "", "");
    socket.write(lines.join("\r\n"), () => setTimeout(() => (reset ? socket.resetAndDestroy() : socket.end()), 20));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  open(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`, new StubHost());
  await until("it tries a third time", () => opened >= 3, 8_000);
});
