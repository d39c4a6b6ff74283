/** The team's own service over HTTP: every status and every way a connection ends, against a real server. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Cancellation } from "../../core/cancellation.ts";
import type { AdapterCall } from "../adapter.ts";
import { callService, type Authorize, type HttpPlace, type HttpPorts } from "./http-call.ts";

const NOW_MS = Date.parse("2030-01-01T00:00:00Z");
const ports = { now: () => NOW_MS } as unknown as HttpPorts;
let close: (() => void) | undefined;
afterEach(() => close?.());

/** Node's fetch holds a Request's signal only weakly: once the Request is collected, it aborts nothing. So each is kept here. */
const sent: Request[] = [];
function send(request: Request): Promise<Response> {
  sent.push(request);
  return fetch(request);
}

async function serve(listener: RequestListener): Promise<HttpPlace> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  const { port } = server.address() as AddressInfo;
  return { name: "place", send, url: `http://127.0.0.1:${port}`, maxBytes: 1_024 };
}

function callOf(more: { input?: string; timeoutMs?: number; cancellation?: Cancellation } = {}): AdapterCall {
  const { input = '{"a":1}', timeoutMs = 2_000, cancellation } = more;
  const meta = { execution_id: "ex_1", attempt: 1, traceparent: "00-1-2-01", timeout_ms: timeoutMs };
  const options = cancellation === undefined ? undefined : { cancellation };
  return { operation: { name: "tested" }, meta, input, options } as unknown as AdapterCall;
}

const authorize: Authorize = ({ renew }) =>
  Promise.resolve({ headers: { authorization: renew ? "Bearer new" : "Bearer old" } });
const run = (place: HttpPlace, call = callOf()) => callService(call, { url: "/work", method: "POST" }, place, ports);

it.each<[number, Record<string, string>, string, Record<string, unknown>]>([
  [200, {}, '{"b":2}', { ok: true, output: '{"b":2}' }],
  [204, {}, "", { ok: true, output: "null" }],
  [200, {}, "<html>", { ok: false, error: { code: "output_not_json" } }],
  [
    400,
    {},
    '{"detail":"no such size"}',
    { error: { code: "implementation_failed", detail: "no such size" }, retry: { kind: "never" } },
  ],
  [
    500,
    {},
    '{"detail":"broke"}',
    { error: { code: "implementation_failed", detail: "broke" }, retry: { kind: "may" } },
  ],
  [
    503,
    { "retry-after": "7" },
    "",
    { error: { code: "implementation_failed" }, retry: { kind: "after", after_ms: 7_000 } },
  ],
  [
    429,
    { "retry-after": "3" },
    "",
    { unstarted: true, error: { code: "environment_throttled" }, retry: { kind: "after", after_ms: 3_000 } },
  ],
  [
    429,
    { "retry-after": "Tue, 01 Jan 2030 00:00:05 GMT" },
    "",
    { unstarted: true, retry: { kind: "after", after_ms: 5_000 } },
  ],
  [403, {}, "", { unstarted: true, error: { code: "environment_refused" }, retry: { kind: "may" } }],
  [404, {}, "", { unstarted: true, error: { code: "environment_misconfigured" } }],
  [
    302,
    { location: "http://elsewhere.invalid/" },
    "",
    { error: { code: "environment_misconfigured" }, retry: { kind: "never" } },
  ],
])("callService() reads status %i %j %s", async (status, headers, body, expected) => {
  const place = await serve((_, response) => response.writeHead(status, headers).end(body));
  expect(await run(place)).toMatchObject(expected);
});

it("callService() says that nothing has run where nobody listens, and that it cannot tell where a connection breaks", async () => {
  const place = await serve((request, response) => void request.resume().on("end", () => response.destroy()));
  const broken = await run(place);
  expect(broken).toMatchObject({ ok: false, error: { code: "executor_lost" } });
  expect(broken).not.toHaveProperty("unstarted");
  close?.();
  expect(await run(place)).toMatchObject({ unstarted: true, error: { code: "environment_unavailable" } });
});

it("callService() renews credentials that expired, once, and runs the work once", async () => {
  let runs = 0;
  const place = await serve((request, response) => {
    if (request.headers.authorization !== "Bearer new") return void response.writeHead(401).end();
    runs++;
    response.end("1");
  });
  expect(await run({ ...place, authorize })).toMatchObject({ ok: true, output: "1" });
  expect(runs).toBe(1);
});

it("callService() gives credentials to no origin that the environment does not name", async () => {
  let asked = 0;
  const place = await serve((_, response) => {
    asked++;
    response.end("1");
  });
  const away = {
    ...place,
    url: "http://other.invalid",
    authorize: () => Promise.resolve({ headers: { authorization: "s" } }),
  };
  const outcome = await callService(callOf(), { url: `${place.url}/x`, method: "POST" }, away, ports);
  expect(outcome).toMatchObject({ ok: false, error: { code: "environment_misconfigured" } });
  expect(asked).toBe(0);
});

it("callService() ends at the time-out and at a cancellation, and tells the service by its connection", async () => {
  let came = 0;
  let ended = 0;
  const place = await serve((_, response) => {
    came += 1;
    response.on("close", () => (ended += 1));
  });
  expect(await run(place, callOf({ timeoutMs: 500 }))).toMatchObject({ error: { code: "timeout" } });
  const cancellation = new Cancellation();
  const running = run(place, callOf({ cancellation }));
  await expect.poll(() => came, { timeout: 4_000 }).toBe(2);
  cancellation.request();
  expect(await running).toMatchObject({ error: { code: "execution_cancelled" } });
  await expect.poll(() => ended).toBe(2);
});

it("callService() refuses an input over the limit of the way", async () => {
  const place = await serve((_, response) => response.end("1"));
  expect(await run(place, callOf({ input: JSON.stringify("x".repeat(2_000)) }))).toMatchObject({
    unstarted: true,
    error: { code: "payload_too_large" },
    retry: { kind: "never" },
  });
});
