/** What somebody reaches who may call operations and nothing else: the steps of controllers are operations too. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT, startDev, type Dev } from "./_platform.ts";
import { install, put, startRunner, type Runner } from "./_services.ts";

const PROGRESS = ["active", "name", "outdated", "ready", "revision", "settled", "since", "state", "stuck", "wanted"];

let dev: Dev;
let runner: Runner;
let server: Server;
let token: string;
let asked = 0;
beforeAll(async () => {
  server = createServer((_, response) => {
    asked += 1;
    response.end("ok");
  }).listen(0, "127.0.0.1");
  dev = await startDev();
  await put(dev, "/registry/environments/rack-1", { adapter: "runner" });
  await put(dev, "/registry/environments/beside", { adapter: "http", config: { network: "private" } });
  await put(dev, "/registry/services/albums", { environment: "rack-1", run: { process: { command: ["albums"] } } });
  const noisy = `console.log("it says this"); import("${ROOT}/test/e2e/_service-server.ts")`;
  await install(dev, "shop", { run: { process: { command: [process.execPath, "--eval", noisy] } } });
  runner = await startRunner(dev, "desk");
  const made = await dev.request("/registry/tokens/caller", { method: "PUT", body: '{"scopes":["ops:invoke"]}' });
  ({ token } = (await made.json()) as { token: string });
});
afterAll(async () => {
  await runner.end();
  await dev.stop();
  server.close();
});

test("probe_replicas looks at no address that somebody made up", async () => {
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const replicas = [{ service: "albums", replica: "made_up", place: "", address }];
  const input = { service: "albums", environment: "beside", replicas };
  expect(await dev.call("probe_replicas", input, { token })).toMatchObject({ status: 200, body: { replicas: [] } });
  expect(asked).toBe(0);
});

test("start_replica starts none that its controller does not want", async () => {
  const input = { service: "albums", replica: "made_up", revision: "1", place: "desk" };
  const { status, body } = await dev.call("start_replica", input, { token });
  expect([status, body]).toEqual([409, expect.objectContaining({ code: "command_refused" })]);
});

test("who directs a service and may not look at it is told how far it is, and nothing that it says or runs on", async () => {
  const waited = await dev.opctl(["service", "deploy", "shop", "--wait"], { env: { SWITCHYARD_TOKEN: token } });
  expect([waited.code, waited.stderr]).toEqual([0, ""]);
  expect(waited.stdout).toMatch(
    /^shop\n {2}state {5}hot, since .*\n {2}revision {2}.*\n {2}replicas {2}1 of 1 ready\n$/,
  );
  const commands = [
    ["observe_service_progress", {}],
    ["deploy_service", {}],
    ["restart_service", {}],
    ["undeploy_service", {}],
  ] as const;
  for (const [operation, more] of commands) {
    const { status, body } = await dev.call(operation, { name: "shop", ...more }, { token });
    expect([operation, status, Object.keys(body as object).toSorted()]).toEqual([operation, 200, PROGRESS]);
    const route = operation === "observe_service_progress" ? "progress" : operation.split("_", 1)[0];
    const method = route === "progress" ? "GET" : "POST";
    const answer = await dev.request(`/services/shop/${route}`, { method, token });
    expect([operation, Object.keys((await answer.json()) as object).toSorted()]).toEqual([operation, PROGRESS]);
  }
  expect(await dev.call("observe_service", { name: "shop" }, { token })).toMatchObject({ status: 403 });
});

test("who directs a service that its state machine lets be scaled is told no more", async () => {
  const machine = { initial: "hot", states: { hot: { replicas: null } }, transitions: [] };
  await put(dev, "/registry/state_machines/open", machine);
  await install(dev, "open", { state_machine: "open" });
  const { status, body } = await dev.call("scale_service", { name: "open", replicas: 2 }, { token });
  expect([status, Object.keys(body as object).toSorted()]).toEqual([200, PROGRESS]);
});

test("who may look as well is answered with the whole", async () => {
  const { status, body } = await dev.call("deploy_service", { name: "shop" });
  expect([status, body]).toEqual([
    200,
    expect.objectContaining({ replicas: expect.any(Array), events: expect.any(Array) }),
  ]);
  const waited = await dev.opctl(["service", "restart", "shop", "--wait"]);
  expect(waited.code).toBe(0);
  expect(waited.stderr).toContain("it is given requests");
  expect(waited.stdout).toContain("Reached by");
});

test("a controller's step tells what replicas say to their controller, and to who may look", async () => {
  const { body } = await dev.call("observe_service", { name: "shop" });
  const [{ replica, place }] = (body as { replicas: [{ replica: string; place: string }] }).replicas;
  const input = { service: "shop", replicas: [{ service: "shop", replica, place, address: null }] };
  const seen = async (by?: { token: string }) =>
    ((await dev.call("probe_replicas", input, by)).body as { replicas: object[] }).replicas;
  expect(await seen()).toEqual([expect.objectContaining({ replica, lines: ["it says this"] })]);
  expect(await seen({ token })).toEqual([expect.objectContaining({ replica, lines: [], address: null })]);
});

test.each([
  [["service", "deploy", "shp"], "shop"],
  [["call", "observe_service", "name=shp"], "shop"],
  [["get", "service", "shp"], "shop"],
])("opctl %j is told what it may have meant, if it may list them", async (words, near) => {
  const told = await dev.opctl(words);
  expect([told.code, told.stderr]).toEqual([4, expect.stringContaining(`Did you mean "${near}"?`)]);
  const blind = await dev.opctl(words, { env: { SWITCHYARD_TOKEN: token } });
  expect(blind.code).not.toBe(0);
  expect(blind.stderr).not.toContain(near);
});

/** Reads server-sent events until one has the words; answers their ids and data. */
async function readUntil(words: string, response: Response): Promise<{ id: number; what: string }[]> {
  const events: { id: number; what: string }[] = [];
  let text = "";
  for await (const part of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const [, id, data] = /^id: (\d+)\nevent: happened\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (data !== undefined) events.push({ id: Number(id), what: (JSON.parse(data) as { what: string }).what });
    }
    if (events.some(({ what }) => what.includes(words))) break;
  }
  return events;
}

test("GET /services/:name/events tells what happens as it happens, goes on behind Last-Event-ID, and warms nothing", async () => {
  await install(dev, "seen");
  const watch = (headers: Record<string, string> = {}) => dev.request("/services/seen/events", { headers });
  const response = await watch();
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const heard = readUntil("it is given requests", response);
  expect((await dev.call("observe_service", { name: "seen" })).body).toMatchObject({ state: "cold", events: [] });
  await dev.call("deploy_service", { name: "seen" });
  const events = await heard;
  expect(events.map(({ id }) => id)).toEqual(events.map((_, at) => at + 1));
  const rest = readUntil("all, to its end", await watch({ "last-event-id": "2" }));
  for (const operation of ["seen", "seen_post", "seen_slow", "seen_die", "seen_sicken"]) {
    await dev.request(`/registry/operations/${operation}`, { method: "DELETE" });
  }
  await dev.request("/registry/exposures/seen", { method: "DELETE" });
  expect((await dev.request("/registry/services/seen", { method: "DELETE" })).status).toBe(200);
  const others = await rest;
  expect(others[0]?.id).toBe(3);
  expect(others.map(({ what }) => what)).toContain("its row was deleted: its replicas are stopped");
  expect((await watch()).status).toBe(404);
});

test("events of a service are for who may look at it", async () => {
  expect((await dev.request("/services/shop/events", { token })).status).toBe(403);
  expect((await dev.request("/services/shop/events", { token: null })).status).toBe(401);
  expect((await dev.request("/services/shop/events?after=x")).status).toBe(400);
});
