/** What somebody gains who has a runner's token and speaks its protocol: what is made up leaves nothing behind and leads nowhere. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLOSE, packParcels, RUNNER_PROTOCOL, RUNNER_SUBPROTOCOL } from "../../src/model/runner-protocol.ts";
import { startDev, type Dev } from "./_platform.ts";
import { put } from "./_services.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  await put(dev, "/registry/environments/rack-1", { adapter: "runner" });
});
afterAll(async () => {
  await dev.stop();
});

const HELLO = { type: "hello", protocol: RUNNER_PROTOCOL, version: "1", slots: 1, capabilities: {}, runs: ["replica"] };

const NOTHING = { cpu: null, ended: null, lines: [], address: null };
const replica = (service: string, more: object = {}) => {
  const one = { replica: `${service}-1`, service, revision: "v", place: "", status: "ready", count: 1, ready: 1 };
  return { ...one, ...NOTHING, ...more };
};

/** A runner that says what it likes. `heard` resolves with the first message that has the words. */
async function connect(name: string) {
  const init = { protocols: [RUNNER_SUBPROTOCOL], headers: { authorization: `Bearer ${dev.token}` } };
  const socket = new WebSocket(`${dev.url.replace(/^http/, "ws")}/runners/rack-1/connect`, init);
  const said: string[] = [];
  let look: (() => void) | undefined;
  socket.addEventListener("message", ({ data }) => {
    said.push(String(data));
    look?.();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
  });
  const heard = (words: string): Promise<void> =>
    new Promise((resolve) => {
      look = () => void (said.some((text) => text.includes(words)) && resolve());
      look();
    });
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const say = (head: object, body = "") => socket.send(packParcels([{ head: head as never, body }]));
  say({ ...HELLO, name, instance: name, running: [], finished: [] });
  await heard("welcome");
  return {
    report: (replicas: object[]) => say({ type: "replicas" }, JSON.stringify(replicas)),
    heard,
    closed,
    end: () => socket.close(),
  };
}

const objects = () =>
  readdirSync(path.join(dev.state, "objects/switchyard-ServiceObject")).filter((file) => !file.startsWith("metadata"));

test("what it says to have of services that never were is stopped, and leaves nothing on disk", async () => {
  const runner = await connect("liar");
  runner.report(["one", "two", "three"].map((name) => replica(name)));
  for (const name of ["one", "two", "three"]) await runner.heard(`stop/${name}-1`);
  expect(objects()).toEqual([]);
  runner.end();
});

test("what it says to have of a service that never had it is stopped, and nothing is written of it", async () => {
  await put(dev, "/registry/services/shop", { environment: "rack-1", run: { process: { command: ["shop"] } } });
  const runner = await connect("liar-2");
  runner.report(Array.from({ length: 100 }, (_, at) => replica("shop", { replica: `made_up-${at}` })));
  await runner.heard("stop/made_up-0");
  const { body } = await dev.call("observe_service", { name: "shop" });
  expect(body).toMatchObject({ replicas: [], events: [] });
  runner.end();
});

test.each(["http://169.254.169.254:80", "http://metadata.internal:80", "http://10.0.0.5:80/path", "http://0.0.0.0:80"])(
  "one that reports the address %s is sent away",
  async (address) => {
    const runner = await connect("liar-3");
    runner.report([replica("shop", { address })]);
    expect(await runner.closed).toMatchObject({ code: CLOSE.refused.code, reason: expect.stringContaining("address") });
  },
);
