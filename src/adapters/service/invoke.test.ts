/** Calls of services: real HTTP servers as replicas, and every way in which they may let a request down. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { callOf, TRACE, type CallChanges } from "../../../test/contracts/adapter/call-of.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { Cancellation } from "../../core/cancellation.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import type { ProvidedBy } from "../../model/services.ts";
import { createTracer, type Span } from "../../telemetry/tracer.ts";
import { unstarted, type AdapterCall } from "../adapter.ts";
import { exchange } from "../http/exchange.ts";
import type { ServiceHost } from "../service-host.ts";
import type { Entered, Left, ServicesPort } from "./port.ts";
import { serviceAdapter } from "./service.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Where nobody listens. */
async function gone(): Promise<string> {
  const url = await serve(() => undefined);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return url;
}

const answers =
  (status: number, text = "", headers: Record<string, string> = {}): RequestListener =>
  (_, response) =>
    void response.writeHead(status, headers).end(text);
const breaksOff: RequestListener = (request, response) => void request.resume().on("end", () => response.destroy());

/** Sends as the http adapter does: to the replica's own address. */
const send: ServiceHost["send"] = async ({ address }, { method, path, headers, body, timeoutMs, cancellation }) => {
  const stop = new AbortController();
  cancellation?.onRequest(() => stop.abort());
  return exchange(fakePorts().fetchOn("private"), {
    url: `${address}${path}`,
    method,
    headers: { ...headers, "x-time-out": String(timeoutMs) },
    ...(body === undefined ? {} : { body }),
    signal: stop.signal,
    maxAnswerBytes: 10_000,
  });
};
const host = { send } as unknown as ServiceHost;
const isRepeatable = ({ operation }: AdapterCall): void => void (operation.repeatable = true);

type Asked = { waitMs: number; avoid: string[] };
type Entry = string | { address: string; via?: "direct" | "environment"; replica?: string; others?: boolean };

/** Hands out the replicas one after another; after the last it says that there is none. */
class Doors implements ServicesPort {
  readonly asked: Asked[] = [];
  readonly left: Left[] = [];
  readonly slept: number[] = [];
  readonly spans: Span[] = [];
  readonly #entries: Entry[];

  constructor(...entries: Entry[]) {
    this.#entries = entries;
  }

  async enter(_exposure: string, { waitMs, avoid }: Parameters<ServicesPort["enter"]>[1]) {
    this.asked.push({ waitMs, avoid: [...avoid] });
    const entry = this.#entries[this.asked.length - 1];
    if (entry === undefined) return unstarted("environment_unavailable", "no replica is ready");
    const {
      address,
      via = "environment",
      replica = `r${this.asked.length}`,
      others = true,
    } = typeof entry === "string" ? { address: entry } : entry;
    return {
      ok: true,
      replica: { service: "albums_js", replica, place: "desk", address },
      via,
      environment: environmentOf("rack", {
        adapter: "runner",
        secrets: { token: "rack_token" },
        openSecrets: async () => ({ token: "s3cret-of-rack" }),
      }),
      basePath: "/api",
      others,
      leave: (how: Left) => void this.left.push(how),
    } satisfies Entered;
  }

  run(
    providedBy: Partial<ProvidedBy> = {},
    { input = {}, ...changes }: CallChanges & { input?: unknown; call?: (call: AdapterCall) => void } = {},
  ) {
    const row = {
      exposure: "albums",
      method: "GET",
      path: "/albums",
      query: [],
      headers: {},
      body: null,
      ...providedBy,
    } satisfies ProvidedBy;
    const call = callOf({ kind: "service", ...row }, input, changes);
    changes.call?.(call);
    const adapter = serviceAdapter({
      services: this,
      host: (name) => (name === "runner" ? host : undefined),
      telemetry: () => ({
        meter: undefined,
        tracer: createTracer({ sampler: () => true, take: (span) => void this.spans.push(span), now: Date.now }),
      }),
      now: Date.now,
      sleep: async (ms) => void this.slept.push(ms),
    });
    return adapter.invoke(call);
  }
}

describe("a call of a service", () => {
  it("is the request that the row says, with what the service may want to know of the call", async () => {
    let came: IncomingMessage | undefined;
    let text = "";
    const url = await serve((request, response) => {
      came = request;
      request.on("data", (part: Buffer) => (text += part.toString()));
      request.on("end", () => response.writeHead(201, { "content-type": "application/json" }).end('{"id":7}'));
    });
    const doors = new Doors(url);
    const outcome = await doors.run(
      { method: "POST", path: "/albums/{artist}", headers: { "X-Tenant": "tenant" } },
      {
        input: { artist: "Low", title: "Trust", tenant: "acme" },
        call: ({ meta }) => Object.assign(meta, { execution_id: "ex_1", attempt: 2, item: 3 }),
      },
    );
    expect(outcome).toEqual({ ok: true, output: '{"id":7}', logs: [] });
    expect(came).toMatchObject({ method: "POST", url: "/api/albums/Low" });
    expect(text).toBe('{"title":"Trust"}');
    expect(came?.headers).toMatchObject({
      "content-type": "application/json",
      "x-tenant": "acme",
      "idempotency-key": "ex_1.3",
      "switchyard-execution-id": "ex_1",
      "switchyard-attempt": "2",
    });
    expect(Number(came?.headers["switchyard-timeout-ms"])).toBeGreaterThan(900);
    expect(doors.left).toEqual(["answered"]);
    // The span of the request is the service's parent, and says which replica it was.
    const [span] = doors.spans;
    expect(came?.headers["traceparent"]).toBe(`00-${TRACE.split("-")[1]}-${span?.spanId}-01`);
    expect(span).toMatchObject({
      name: "POST /albums/{artist}",
      kind: "client",
      attributes: {
        "switchyard.service": "albums_js",
        "switchyard.replica": "r1",
        "switchyard.runner": "desk",
        "switchyard.via": "environment",
        "http.response.status_code": 201,
      },
    });
  });

  it("takes the input's text where there is no value, as an attempt of an asynchronous execution has it", async () => {
    const url = await serve((request, response) => void response.end(JSON.stringify(request.url)));
    const outcome = await new Doors(url).run(
      {},
      { input: { a: 1 }, call: (call) => Object.assign(call, { inputValue: undefined }) },
    );
    expect(outcome).toMatchObject({ output: '"/api/albums?a=1"' });
  });

  it("with an input that makes no request asks for no replica", async () => {
    const doors = new Doors();
    expect(await doors.run({ path: "/albums/{id}" }, { input: { id: ".." } })).toMatchObject({
      ok: false,
      unstarted: true,
      error: { code: "input_invalid", errors: [{ pointer: "/id" }] },
      retry: { kind: "never" },
    });
    expect(doors.asked).toEqual([]);
  });

  it("that finds no replica has not begun", async () => {
    expect(await new Doors().run()).toMatchObject({ unstarted: true, error: { code: "environment_unavailable" } });
  });

  it("says nothing of the secrets that its environment was reached with", async () => {
    const url = await serve(answers(500, '{"detail":"cannot use s3cret-of-rack"}'));
    expect(JSON.stringify(await new Doors(url).run())).not.toContain("s3cret-of-rack");
  });

  it.each([
    [200, "1", "answered"],
    [404, "", "answered"],
    [429, "", "answered"],
    [500, "", "failed"],
    [503, "", "failed"],
  ])("that is answered %i %j leaves its replica as %s", async (status, text, left) => {
    const doors = new Doors({ address: await serve(answers(status, text)), others: false });
    await doors.run();
    expect(doors.left).toEqual([left]);
  });
});

describe("a replica that", () => {
  type Case = [what: string, method: ProvidedBy["method"], first: RequestListener | undefined, repeats: boolean];
  it.each<Case>([
    ["is not there", "POST", undefined, true],
    ["is not there", "GET", undefined, true],
    ["breaks off", "GET", breaksOff, true],
    ["breaks off", "HEAD", breaksOff, true],
    ["breaks off", "PUT", breaksOff, true],
    ["breaks off", "DELETE", breaksOff, true],
    ["breaks off", "POST", breaksOff, false],
    ["breaks off", "PATCH", breaksOff, false],
    ["answers 502", "GET", answers(502), true],
    ["answers 503", "GET", answers(503), true],
    ["answers 504", "GET", answers(504), true],
    ["answers 503", "POST", answers(503), false],
    ["answers 500", "GET", answers(500), false],
    ["answers 404", "GET", answers(404), false],
  ])("%s is replaced for a %s by another: %#", async (_what, method, first, repeats) => {
    let runs = 0;
    const second = await serve((_, response) => {
      runs += 1;
      response.writeHead(204).end();
    });
    const doors = new Doors(first === undefined ? await gone() : await serve(first), second);
    expect(await doors.run({ method })).toMatchObject({ ok: repeats });
    expect(runs).toBe(repeats ? 1 : 0);
    expect(doors.left).toHaveLength(repeats ? 2 : 1);
    if (repeats) expect(doors.asked[1]?.avoid).toEqual(["r1"]);
  });

  it("breaks off is replaced for a POST whose row promises that it may be repeated", async () => {
    const doors = new Doors(await serve(breaksOff), await serve(answers(204)));
    expect(await doors.run({ method: "POST" }, { call: isRepeatable })).toMatchObject({ ok: true });
  });

  it("breaks off after a POST leaves it open what has run", async () => {
    const outcome = await new Doors(await serve(breaksOff)).run({ method: "POST" });
    expect(outcome).toMatchObject({ error: { code: "executor_lost" }, retry: { kind: "may" } });
    expect(outcome).not.toHaveProperty("unstarted");
  });

  it("failed and has no other beside it is not asked again; what it said is the outcome", async () => {
    const doors = new Doors({ address: await serve(answers(503, '{"detail":"full"}')), others: false });
    expect(await doors.run()).toMatchObject({ error: { code: "implementation_failed", detail: "full" } });
    expect(doors.asked).toHaveLength(1);
  });

  it("failed is the outcome where no other can be had, and not that none could", async () => {
    const doors = new Doors(await serve(answers(502, '{"detail":"bad gateway"}')));
    const outcome = await doors.run();
    expect(outcome).toMatchObject({ error: { code: "implementation_failed", detail: "bad gateway" } });
    expect(outcome).not.toHaveProperty("unstarted");
  });

  it("is one of three at most", async () => {
    const url = await serve(answers(503));
    const doors = new Doors(url, url, url, url);
    expect(await doors.run()).toMatchObject({ error: { code: "implementation_failed" } });
    expect(doors.left).toEqual(["failed", "failed", "failed"]);
  });

  it("is not there for a while is asked again, less often each time, and nothing has run", async () => {
    const address = await gone();
    const doors = new Doors(...Array.from({ length: 10 }, () => ({ address, replica: "r1" })));
    expect(await doors.run({ method: "POST" })).toMatchObject({
      unstarted: true,
      error: { code: "environment_unavailable" },
    });
    expect(doors.left).toHaveLength(6);
    expect(doors.slept).toEqual([50, 100, 200, 400]);
  });

  it("breaks off, alone, is asked again for what may be repeated: it may be gone, and another on its way", async () => {
    const dies = { address: await serve(breaksOff), replica: "r1", others: false };
    const refuses = { address: await gone(), replica: "r1", others: false };
    const next = await serve(answers(204));
    const doors = new Doors(dies, refuses, next);
    expect(await doors.run()).toMatchObject({ ok: true });
    expect(doors.left).toEqual(["failed", "not_sent", "answered"]);
    const post = new Doors(dies, next);
    expect(await post.run({ method: "POST" })).toMatchObject({ error: { code: "executor_lost" } });
    // And what may have run has not not begun, though the next was not there.
    const outcome = await new Doors(dies, refuses).run();
    expect(outcome).toMatchObject({ error: { code: "executor_lost" } });
    expect(outcome).not.toHaveProperty("unstarted");
  });

  it("breaks off every time is asked three times at most", async () => {
    const address = await serve(breaksOff);
    const doors = new Doors(...Array.from({ length: 5 }, () => ({ address, replica: "r1", others: false })));
    expect(await doors.run()).toMatchObject({ error: { code: "executor_lost" } });
    expect(doors.left).toEqual(["failed", "failed", "failed"]);
  });

  it("cannot be reached directly is asked by its environment, and does not count as tried", async () => {
    const url = await serve(answers(204));
    const doors = new Doors({ address: await gone(), via: "direct", replica: "r1" }, { address: url, replica: "r1" });
    expect(await doors.run({ method: "POST" })).toMatchObject({ ok: true });
    expect(doors.asked.map(({ avoid }) => avoid)).toEqual([[], []]);
    expect(doors.slept).toEqual([]);
  });

  it("is in an environment whose adapter has no services is for people", async () => {
    const doors = new Doors("http://unused.invalid");
    doors.enter = async (...given) => {
      const entered = await Doors.prototype.enter.apply(doors, given);
      return entered.ok ? { ...entered, environment: environmentOf("elsewhere", { adapter: "lambda" }) } : entered;
    };
    expect(await doors.run()).toMatchObject({ unstarted: true, error: { code: "environment_misconfigured" } });
    expect(doors.left).toEqual(["cancelled"]);
  });
});

describe("the time-out", () => {
  it("is no loss of the replica, though whoever carries the request breaks it off at its end", async () => {
    const url = await serve((_, response) => void setTimeout(() => response.destroy(), 110));
    const doors = new Doors(url, url);
    expect(await doors.run({ method: "POST" }, { timeoutMs: 100 })).toMatchObject({
      error: { code: "timeout" },
      retry: { kind: "may" },
    });
    expect([doors.asked.length, doors.left]).toEqual([1, ["failed"]]);
  });

  it("is the operation's: what the first replica took is gone, and a late answer is none", async () => {
    let closed = 0;
    const url = await serve((_, response) => void response.on("close", () => (closed += 1)));
    const doors = new Doors(url, url);
    expect(await doors.run({}, { timeoutMs: 100 })).toMatchObject({
      error: { code: "timeout" },
      retry: { kind: "may" },
    });
    expect(doors.left).toEqual(["failed"]);
    await expect.poll(() => closed).toBe(1);
  });

  it("leaves the second replica what the first has not used", async () => {
    const slow = await serve((_, response) => void setTimeout(() => response.writeHead(503).end(), 60));
    const doors = new Doors(slow, await serve(answers(204)));
    expect(await doors.run({}, { timeoutMs: 1_000 })).toMatchObject({ ok: true });
    expect(doors.asked[0]?.waitMs).toBeGreaterThan(990);
    expect(doors.asked[1]?.waitMs).toBeLessThan(945);
  });

  it("may be cut short by a cancellation, of which the service hears", async () => {
    let came = 0;
    let closed = 0;
    const url = await serve((_, response) => {
      came += 1;
      response.on("close", () => (closed += 1));
    });
    const cancellation = new Cancellation();
    const doors = new Doors(url);
    const running = doors.run({}, { timeoutMs: 5_000, options: { cancellation } });
    await expect.poll(() => came).toBe(1);
    cancellation.request();
    expect(await running).toMatchObject({ error: { code: "execution_cancelled" }, retry: { kind: "never" } });
    expect(doors.left).toEqual(["cancelled"]);
    await expect.poll(() => closed).toBe(1);
  });
});

it("a registry that does not answer, and an adapter that throws, are outcomes; the replica is left", async () => {
  const doors = new Doors("not a url");
  expect(await doors.run()).toMatchObject({ ok: false });
  expect(doors.left).toHaveLength(1);
  doors.enter = () => Promise.reject(new Error("the registry is away"));
  expect(await doors.run()).toMatchObject({ ok: false, unstarted: true });
});

it.each([
  ['{"detail":"no such path"}', "These are the service's own words; "],
  ["", ""],
])("answered 404 with %j says what was sent, and none of its values", async (text, begins) => {
  const doors = new Doors(await serve(answers(404, text)));
  const path = "/albums/{id}";
  const outcome = await doors.run({ path, query: ["token"] }, { input: { id: "hidden", token: "s3cret" } });
  const hint = `${begins}GET /api/albums/{id} of the service "albums_js" (exposure "albums") answered 404.`;
  expect(outcome).toMatchObject({ ok: false, error: { code: "implementation_failed", hint } });
});
