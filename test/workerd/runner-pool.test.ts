/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** The pool of runners on the real runtime: its sockets, what is attached to them, its sleep. pool.test.ts has the rules. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import {
  CLOSE,
  packParcels,
  PING,
  PONG,
  RUNNER_PROTOCOL,
  ToRunnerSchema,
  unpackParcels,
  type FromRunner,
  type Hello,
  type Parcel,
  type PoolOrder,
  type ToRunner,
} from "../../src/model/runner-protocol.ts";
import type { RunnerPool } from "../../src/runners/runner-pool.ts";

const { RUNNERS } = bindings as unknown as { RUNNERS: DurableObjectNamespace<RunnerPool> };

const hello: Hello = {
  type: "hello",
  protocol: RUNNER_PROTOCOL,
  version: "1",
  name: "a",
  instance: "i-a",
  slots: 2,
  capabilities: { gpu: true },
  runs: ["module"],
  running: [],
  finished: [],
};

function order(id: string, more: Partial<PoolOrder> = {}): PoolOrder {
  return {
    id,
    execution: `ex_${id}`,
    attempt: 1,
    item: null,
    runnable: "module",
    isolate: "",
    requires: {},
    capabilities: {},
    order: `order ${id}`,
    timeout_ms: 60_000,
    wait_ms: 5_000,
    hold: true,
    max_queued: 10,
    resume_ms: 100,
    ...more,
  };
}

/** A runner's end of a socket; what comes is read one after another. */
async function connect(name: string) {
  const response = await RUNNERS.getByName(name).fetch("http://pool/", { headers: { upgrade: "websocket" } });
  const socket = response.webSocket;
  if (socket === null) throw new TypeError(`no socket: ${response.status}`);
  const queue: (Parcel<ToRunner> | string)[] = [];
  let wake: (() => void) | undefined;
  let closed: { code: number; reason: string } | undefined;
  socket.addEventListener("message", ({ data }) => {
    if (data === PONG) queue.push(PONG);
    else queue.push(...unpackParcels<ToRunner>(String(data), ToRunnerSchema));
    wake?.();
  });
  socket.addEventListener("close", ({ code, reason }) => {
    closed = { code, reason };
    wake?.();
  });
  socket.accept();
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    socket,
    say: (head: FromRunner, body = "") => socket.send(packParcels([{ head, body }])),
    next: () => until(() => queue.shift()),
    ended: () => until(() => closed),
  };
}

async function nextHead(runner: Awaited<ReturnType<typeof connect>>): Promise<ToRunner> {
  const next = await runner.next();
  if (typeof next === "string") throw new TypeError(next);
  return next.head;
}

test("an order goes out by the socket and its reply comes back, whatever characters it has", async () => {
  const runner = await connect("plain");
  runner.say(hello);
  expect(await nextHead(runner)).toEqual({ type: "welcome", environment: "plain" });
  const call = RUNNERS.getByName("plain").run(order("1", { order: '{"x":"žluťoučký 🐎"}\nvstup' }));
  const push = await runner.next();
  if (typeof push === "string" || push.head.type !== "run") throw new TypeError("no order came");
  expect(push.body).toBe('{"x":"žluťoučký 🐎"}\nvstup');
  runner.say({ type: "result", fence: push.head.fence }, '{"ok":true,"logs":[]}\n"🐎"');
  expect(await call).toBe('{"ok":true,"logs":[]}\n"🐎"');
  expect(await nextHead(runner)).toEqual({ type: "ack", fence: push.head.fence });
});

test("no compression is agreed on, whatever the runner offers", async () => {
  const offer = { upgrade: "websocket", "sec-websocket-extensions": "permessage-deflate; client_max_window_bits" };
  const { headers, webSocket } = await RUNNERS.getByName("offer").fetch("http://pool/", { headers: offer });
  webSocket?.accept();
  expect(headers.get("sec-websocket-extensions") ?? "").not.toContain("permessage-deflate");
  webSocket?.close();
});

test("a large order and a large reply pass", async () => {
  const runner = await connect("large");
  runner.say(hello);
  await runner.next();
  const text = "x".repeat(9 * 1024 * 1024);
  const call = RUNNERS.getByName("large").run(order("1", { order: text }));
  const push = await runner.next();
  if (typeof push === "string" || push.head.type !== "run") throw new TypeError("no order came");
  expect(push.body.length).toBe(text.length);
  runner.say({ type: "result", fence: push.head.fence }, text);
  expect((await call) === text).toBe(true);
});

test("a sign of life is answered by the runtime, and seen", async () => {
  const runner = await connect("beat");
  runner.say(hello);
  await runner.next();
  const before = (await RUNNERS.getByName("beat").status()).runners[0]?.last_seen_at ?? 0;
  await new Promise((resolve) => setTimeout(resolve, 20));
  runner.socket.send(PING);
  expect(await runner.next()).toBe(PONG);
  expect((await RUNNERS.getByName("beat").status()).runners[0]?.last_seen_at).toBeGreaterThan(before);
});

test("what a runner declared outlives the memory of its pool", async () => {
  const runner = await connect("sleep");
  runner.say(hello);
  await runner.next();
  await evictDurableObject(RUNNERS.getByName("sleep"));
  expect(await RUNNERS.getByName("sleep").status()).toMatchObject({
    runners: [{ name: "a", slots: 2, capabilities: { gpu: true }, state: "connected" }],
  });
  const call = RUNNERS.getByName("sleep").run(order("1", { requires: { gpu: true } }));
  const head = await nextHead(runner);
  if (head.type !== "run") throw new TypeError(head.type);
  runner.say({ type: "result", fence: head.fence }, "reply");
  expect(await call).toBe("reply");
});

test("a socket that closes with work in hand loses it after its grace", async () => {
  const runner = await connect("gone");
  runner.say(hello);
  await runner.next();
  const call = RUNNERS.getByName("gone").run(order("1"));
  await runner.next();
  runner.socket.close(1000, "bye");
  expect(await call).toMatchObject({ ok: false, error: { code: "executor_lost" } });
  expect(await call).not.toHaveProperty("unstarted");
});

test.each([
  ["an older protocol", packParcels([{ head: { ...hello, protocol: 0 }, body: "" }]), CLOSE.outdated.code, /npm i -g/],
  ["a hello of another form", '[{"type":"hello","protocol":7,"who":"me"}]\n', CLOSE.outdated.code, /host_outdated/],
  ["no JSON", "hello there", CLOSE.refused.code, /cannot read its message/],
  ["a result before the hello", '[{"type":"result","fence":"a.1"}]\n', CLOSE.refused.code, /hello must come first/],
])("refuses %s with a reason", async (what, text, code, reason) => {
  const runner = await connect(`refuses-${what.replaceAll(" ", "-")}`);
  runner.socket.send(text);
  const closed = await runner.ended();
  expect(closed.code).toBe(code);
  expect(closed.reason).toMatch(reason);
});

test("a pool without sockets holds nothing", async () => {
  const stub = RUNNERS.getByName("empty");
  expect(await stub.status()).toEqual({ runners: [], queued: 0 });
  await runInDurableObject(stub, (_pool, state) => expect(state.getWebSockets()).toEqual([]));
});

describe("a clock that jumps", () => {
  const HOUR = 60 * 60_000;
  const realNow = Date.now;
  afterEach(() => {
    Date.now = realNow;
  });

  test.each([
    ["forward", HOUR],
    ["back", -HOUR],
  ])("an hour %s is neither a runner's silence nor work's time: that ends when it is over", async (name, byMs) => {
    const runner = await connect(name);
    runner.say(hello);
    await runner.next();
    const call = RUNNERS.getByName(name).run(order("1", { timeout_ms: 500 }));
    await runner.next();
    Date.now = () => realNow() + byMs;
    expect(await call).toMatchObject({ ok: false, error: { code: "timeout" } });
    expect(await nextHead(runner)).toMatchObject({ type: "cancel" });
  });

  test("forward while it is idle, and its pool asleep: it is asked to connect again, and gets the order", async () => {
    const stub = RUNNERS.getByName("idle");
    const before = await connect("idle");
    before.say(hello);
    await before.next();
    before.socket.send(PING);
    expect(await before.next()).toBe(PONG);
    await evictDurableObject(stub);
    Date.now = () => realNow() + HOUR;
    const call = stub.run(order("1", { hold: false, resume_ms: 3_000 }));
    expect((await before.ended()).code).toBe(CLOSE.silent.code);
    const after = await connect("idle");
    after.say(hello);
    await after.next();
    const head = await nextHead(after);
    if (head.type !== "run") throw new TypeError(head.type);
    after.say({ type: "result", fence: head.fence }, "reply");
    expect(await call).toBe("reply");
  });
});
