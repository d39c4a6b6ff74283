/** What somebody reaches who may call operations and nothing else: the steps of controllers are operations too. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startDev, type Dev } from "./_platform.ts";
import { put } from "./_services.ts";

let dev: Dev;
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
  const made = await dev.request("/registry/tokens/caller", { method: "PUT", body: '{"scopes":["ops:invoke"]}' });
  ({ token } = (await made.json()) as { token: string });
});
afterAll(async () => {
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
