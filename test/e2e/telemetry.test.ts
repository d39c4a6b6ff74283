/** Traces, metrics and logs of the real platform, with a collector that refuses whatever is not OTLP. */
import { randomBytes } from "node:crypto";
import { spawn, type ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPlatform } from "../../cli/dev/platform.ts";
import { Victim } from "../soak/_victim.ts";
import { startCollector, type Collector } from "./_collector.ts";
import { freePort, install, ROOT, run, startDev, temporaryFolder, waitUntil, type Dev } from "./_platform.ts";

/** Planted where secrets are; nothing that leaves the platform may hold one. */
const PLANTED = {
  environment: "env-secret-9f3c1d",
  operation: "op-secret-77aa02",
  collector: "collector-key-5521",
  bearer: "bearer-in-a-thrown-error-31337",
  stderr: "bearer-on-standard-error-4711",
};
const STATE = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";

let collector: Collector;
let victim: Victim;
let dev: Dev;
let runner: ChildProcess;
let service: Server;
let servicePort: number;
const served: IncomingHttpHeaders[] = [];
/** What the runner printed. */
let said = "";
let answering: "well" | "with its secret" = "well";

const newTrace = () => randomBytes(16).toString("hex");
const CALLER = "00f067aa0ba902b7";
const traceOf = (id: string, flags = "01") => ({ traceparent: `00-${id}-${CALLER}-${flags}`, tracestate: STATE });

async function call(name: string, input: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const response = await dev.request(`/ops/${name}`, { method: "POST", body: JSON.stringify(input), headers });
  return response;
}

async function metrics(): Promise<string> {
  return await (await dev.request("/metrics")).text();
}

/** The spans of a trace, once so many have come. */
async function spansOf(id: string, count: number) {
  await waitUntil(
    () => collector.spans.filter(({ traceId }) => traceId === id).length >= count,
    10_000,
    () => `${collector.complaints.join("; ")} ${JSON.stringify([...collector.trace(id).keys()])}`,
  );
  return collector.trace(id);
}

beforeAll(async () => {
  collector = await startCollector();
  service = createServer((request, response) => {
    served.push(request.headers);
    request.resume().once("end", () => {
      const said = `cannot: ${String(request.headers.authorization)}`;
      if (answering === "well") response.writeHead(200, { "content-type": "application/json" }).end("1");
      else response.writeHead(500, { "content-type": "application/json" }).end(JSON.stringify({ detail: said }));
    });
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  servicePort = (service.address() as AddressInfo).port;
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${PLANTED.collector}`,
    OTEL_SERVICE_NAME: "tested",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
  });
  victim = await Victim.start({ args: ["--otlp-endpoint", collector.endpoint] });
  ({ dev } = victim);
  for (const name of Object.keys(process.env)) if (name.startsWith("OTEL_")) delete process.env[name];
  const put = async (path: string, body: unknown) => {
    const response = await dev.request(path, { method: "PUT", body: JSON.stringify(body) });
    expect(response.ok, await response.text()).toBe(true);
  };
  await put("/registry/secrets/web_token", { value: PLANTED.environment });
  await put("/registry/secrets/op_key", { value: PLANTED.operation });
  const nobody = await freePort();
  const web = { adapter: "http", secrets: { token: "web_token" } };
  for (const [name, port] of [
    ["web", servicePort],
    ["dead", nobody],
  ] as const) {
    const config = { url: `http://127.0.0.1:${port}`, network: "private", auth: "bearer" };
    await put(`/registry/environments/${name}`, { ...web, config });
  }
  const http = { implemented_at: { http: { url: "/work" } }, input_type: true, output_type: true };
  await put("/registry/operations/served", { ...http, environment: ["dead", "web"] });
  await install(dev, "inner", "export const inner = (input, ctx) => ctx.execution.traceparent;");
  await install(
    dev,
    "outer",
    'export const outer = async (input, ctx) => [ctx.execution.traceparent, await ctx.call("inner", {})];',
  );
  const byId = { schema: { type: "object", properties: { person_id: { type: "string" } } } };
  const person = { path: "GET /people/{person_id}", input_type: byId, output_type: true };
  await install(dev, "person", "export const person = (input, ctx) => ctx.execution.traceparent;", person);
  await install(dev, "later", "export const later = (input, ctx) => ctx.execution.traceparent;", { is_async: true });
  const flaky = `export const flaky = (input, ctx) => {
    if (ctx.execution.attempt < 2) throw new Error("not yet");
    return 1;
  };`;
  await install(dev, "flaky", flaky, { is_async: true, retry: { max_attempts: 3, initial_ms: 10, max_ms: 20 } });
  const leaks = `export const leaks = (input, ctx) => {
    ctx.log.info("key " + ctx.secrets.op_key);
    console.error("asked with authorization: Bearer ${PLANTED.bearer}");
    throw new Error("cannot with " + ctx.secrets.op_key, { cause: new Error("Bearer ${PLANTED.bearer}") });
  };`;
  await install(dev, "leaks", leaks, { secrets: ["op_key"] });
  await put("/registry/environments/rack-1", { adapter: "runner" });
  const script = `echo "asked with Bearer ${PLANTED.stderr}" >&2; echo '{"t":"'$TRACEPARENT'"}'`;
  const program = {
    implemented_at: { process: { command: ["sh", "-c", script] } },
    input_type: true,
    output_type: true,
  };
  await put("/registry/operations/program", { ...program, environment: "rack-1" });
  const words = ["runner", "start", "--environment", "rack-1", "--slots", "3", "--allow", "process:sh"];
  runner = spawn(process.execPath, [`${ROOT}/cli/opctl.js`, ...words], {
    env: { ...process.env, SWITCHYARD_URL: dev.url, SWITCHYARD_TOKEN: dev.token },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [runner.stdout, runner.stderr])
    stream?.on("data", (piece: Buffer) => (said += piece.toString()));
  await waitUntil(
    () => said.includes("connected to rack-1"),
    20_000,
    () => said,
  );
});
afterAll(async () => {
  runner?.kill("SIGTERM");
  await victim?.stop();
  await collector?.close();
  service?.close();
});

describe("traces", () => {
  it("go on through the platform: request, dispatch, adapter, what the handler calls, each the child of the one before", async () => {
    const id = newTrace();
    const response = await call("outer", {}, traceOf(id));
    const [seen, inner] = (await response.json()) as [string, string];
    await spansOf(id, 6);
    const all = collector.spans.filter(({ traceId }) => traceId === id);
    const bySpan = new Map(all.map((span) => [span.spanId, span]));
    const way = (traceparent: string): string[] => {
      const names: string[] = [];
      for (
        let span = bySpan.get(traceparent.split("-")[2] ?? "");
        span !== undefined;
        span = bySpan.get(span.parentSpanId ?? "")
      ) {
        names.unshift(span.name);
        if (span.parentSpanId === CALLER) names.unshift("caller");
      }
      return names;
    };
    expect(way(seen)).toEqual(["caller", "POST /ops/:name", "dispatch", "invoke inline"]);
    expect(way(inner)).toEqual([...way(seen), "POST /ops/:name", "dispatch", "invoke inline"]);
    expect(all.every(({ traceState }) => traceState === STATE)).toBe(true);
    expect(way(response.headers.get("traceparent") ?? "")).toEqual(["caller", "POST /ops/:name"]);
    expect(collector.resources.at(-1)).toMatchObject({
      "service.name": "tested",
      "deployment.environment.name": "test",
    });
    expect(collector.headers.at(-1)?.["x-api-key"]).toBe(PLANTED.collector);
    expect(collector.complaints).toEqual([]);
  });

  it("leave the platform with the span of the attempt that they go out with, and show what was passed over", async () => {
    const id = newTrace();
    answering = "well";
    expect((await call("served", {}, traceOf(id))).status).toBe(200);
    await spansOf(id, 4);
    const attempts = collector.spans.filter(({ traceId, name }) => traceId === id && name === "invoke http");
    const seen = attempts.map(
      (span) =>
        collector.trace(id) &&
        Object.fromEntries((span.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]])),
    );
    expect(seen).toMatchObject([
      { "switchyard.environment": "dead", "switchyard.unstarted": true, "error.type": "environment_unavailable" },
      { "switchyard.environment": "web", "switchyard.adapter": "http" },
    ]);
    expect(attempts.map(({ kind, status }) => [kind, status?.code])).toEqual([
      [3, 2],
      [3, undefined],
    ]);
    expect(served.at(-1)).toMatchObject({
      traceparent: `00-${id}-${attempts[1]?.spanId}-01`,
      tracestate: STATE,
    });
  });

  it("name an operation's own path by its template", async () => {
    const id = newTrace();
    const response = await dev.request("/people/s3cr3t-name", { headers: traceOf(id) });
    expect(response.status, await response.text()).toBe(200);
    const span = (await spansOf(id, 3)).get("GET /people/{person_id}");
    expect(span).toMatchObject({ kind: 2, parentSpanId: CALLER, seen: { "http.route": "/people/{person_id}" } });
    expect(collector.bodies.join("")).not.toContain("s3cr3t-name");
  });

  it("reach a program that a runner starts", async () => {
    const id = newTrace();
    const { t } = (await (await call("program", {}, traceOf(id))).json()) as { t: string };
    const spans = await spansOf(id, 3);
    expect(t).toBe(`00-${id}-${spans.get("invoke runner")?.spanId}-01`);
  });

  it("go on in an execution that is accepted, whose attempts are linked to the span that accepted it", async () => {
    const id = newTrace();
    const response = await call("flaky", {}, traceOf(id));
    expect(response.status).toBe(202);
    await spansOf(id, 6);
    const all = collector.spans.filter(({ traceId }) => traceId === id);
    const kept = all.find(({ name }) => name === "dispatch");
    expect(kept?.kind).toBe(4);
    const attempts = all.filter(({ name }) => name === "attempt");
    expect(attempts).toHaveLength(2);
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({
        kind: 5,
        parentSpanId: kept?.spanId,
        links: [{ traceId: id, spanId: kept?.spanId }],
      });
    }
    expect(attempts.map(({ status }) => status?.code)).toEqual([2, undefined]);
  });

  it("are not made where the caller keeps none, and its traceparent goes on as it came", async () => {
    const id = newTrace();
    expect(await (await call("inner", {}, traceOf(id, "00"))).json()).toBe(traceOf(id, "00").traceparent);
    // One that is kept comes later: by then the other would have come.
    const later = newTrace();
    await call("inner", {}, traceOf(later));
    await spansOf(later, 3);
    expect(collector.trace(id).size).toBe(0);
  });

  it.each([
    ["malformed", "00-abc-def-01"],
    ["all zeroes", `00-${"0".repeat(32)}-${CALLER}-01`],
    ["of the forbidden version", `ff-${"a".repeat(32)}-${CALLER}-01`],
  ])("begin anew for a traceparent that is %s, without its tracestate", async (_what, traceparent) => {
    const response = await call("inner", {}, { traceparent, tracestate: STATE });
    const id = response.headers.get("traceparent")?.split("-")[1] ?? "";
    expect(traceparent).not.toContain(id);
    const spans = await spansOf(id, 3);
    expect(spans.get("POST /ops/:name")).not.toHaveProperty("parentSpanId");
    expect(spans.get("dispatch")).not.toHaveProperty("traceState");
  });

  it("take what they know of a future version", async () => {
    const id = newTrace();
    await call("inner", {}, { traceparent: `01-${id}-${CALLER}-01-what-comes` });
    expect((await spansOf(id, 3)).get("POST /ops/:name")?.parentSpanId).toBe(CALLER);
  });
});

/** Of a sample; 0 where there is none. */
const value = (text: string, line: string): number =>
  Number(new RegExp(`^${line.replaceAll(/[{}.|]/g, String.raw`\$&`)} (\\d+)$`, "m").exec(text)?.[1] ?? 0);

describe("GET /metrics", () => {
  const INNER = 'switchyard_calls_total{operation="inner",environment="inline",outcome="succeeded",code=""}';

  it("counts what this very moment has brought", async () => {
    const before = value(await metrics(), INNER);
    for (let n = 0; n < 5; n++) await call("inner", {});
    await call("nobody_knows_it", {});
    const text = await metrics();
    expect(value(text, INNER)).toBe(before + 5);
    expect(value(text, 'switchyard_retries_total{operation="flaky"}')).toBeGreaterThan(0);
    expect(
      value(text, 'switchyard_passed_over_total{environment="dead",code="environment_unavailable"}'),
    ).toBeGreaterThan(0);
    expect(value(text, 'switchyard_errors_total{code="operation_not_found"}')).toBeGreaterThan(0);
    expect(value(text, 'switchyard_cold_starts_total{operation="inner"}')).toBeGreaterThan(0);
    expect(text).not.toContain("nobody_knows_it");
    expect(text).toMatch(/^switchyard_runner_slots\{environment="rack-1"\} 3$/m);
    expect(text).toMatch(/^switchyard_runner_slots_busy\{environment="rack-1"\} 0$/m);
    expect(text).toMatch(/^switchyard_runner_queue\{environment="rack-1"\} 0$/m);
    expect(text).toMatch(/^switchyard_executions_ready\{shard="15"\} \d+$/m);
    expect(text).toMatch(/^switchyard_scrape_unanswered\{source="shard"\} 0$/m);
  });

  it("counts on after the process that counted was killed", async () => {
    await call("inner", {});
    const before = value(await metrics(), INNER);
    expect(await victim.kill("edge")).toBe(true);
    await victim.untilUp();
    await call("inner", {});
    expect(value(await metrics(), INNER)).toBe(before + 1);
  });

  it("asks for a scope, and says the format's version", async () => {
    expect((await dev.request("/metrics", { token: null })).status).toBe(401);
    const { stdout } = await dev.opctl(["token", "create", "caller", "--scope", "ops:invoke", "--json"]);
    const { token } = JSON.parse(stdout) as { token: string };
    expect((await dev.request("/metrics", { token })).status).toBe(403);
    expect((await dev.request("/metrics")).headers.get("content-type")).toBe(
      "text/plain; version=0.0.4; charset=utf-8",
    );
  });
});

describe("secrets", () => {
  it("are in nothing that leaves: lines, metrics, spans, answers, records", async () => {
    answering = "with its secret";
    const answers = [
      await call("served", {}),
      await call("leaks", {}),
      await call("leaks", {}, { prefer: "respond-async" }),
    ];
    await waitUntil(async () => (await call("program", {})).ok, 20_000);
    // Where only their form gives them away.
    await call(`leaks?access_token=${PLANTED.bearer}`, {});
    await waitUntil(
      () => dev.output().includes('"operation":"leaks"') || dev.output().includes("[leaks]"),
      5_000,
      () => dev.output(),
    );
    const id = newTrace();
    await call("inner", {}, traceOf(id));
    await spansOf(id, 3);
    const texts = {
      answers: (await Promise.all(answers.map((answer) => answer.text()))).join("\n"),
      printed: victim.printed(),
      "what the runner printed": said,
      metrics: await metrics(),
      spans: collector.bodies.join("\n"),
      records: await (await dev.request("/executions?limit=100")).text(),
    };
    expect(texts.answers).toContain("[secret]");
    for (const [where, text] of Object.entries(texts)) {
      for (const [what, secret] of Object.entries(PLANTED)) {
        // What a handler throws or says of its own it may say to its own caller.
        if (what === "bearer" && (where === "answers" || where === "records")) continue;
        expect(text.includes(secret), `the ${what} secret in ${where}`).toBe(false);
      }
      expect(text.includes(dev.token), `the token in ${where}`).toBe(false);
    }
  });
});

describe("a collector that is gone", () => {
  it("costs calls nothing; what it does not take is counted", async () => {
    await collector.close();
    const startedAt = performance.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => call("inner", {})));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await waitUntil(
      async () => /^switchyard_spans_dropped_total\{reason="unanswered"\} \d+$/m.test(await metrics()),
      20_000,
    );
    expect((await call("inner", {})).status).toBe(200);
  });
});

describe("opctl dev", () => {
  it.each([
    ["an address that is none", {}, "127.0.0.1:4317", "OTEL_EXPORTER_OTLP_ENDPOINT"],
    [
      "a sampler that it does not know",
      { OTEL_TRACES_SAMPLER: "jaeger_remote" },
      "http://127.0.0.1:4318",
      "OTEL_TRACES_SAMPLER",
    ],
    [
      "a protocol that it does not speak",
      { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
      "http://127.0.0.1:4318",
      "OTEL_EXPORTER_OTLP_PROTOCOL",
    ],
    ["a variable without effect", { OTEL_LOGS_EXPORTER: "otlp" }, "http://127.0.0.1:4318", "OTEL_LOGS_EXPORTER"],
  ])("does not start with %s, and names it", async (_what, env, endpoint, name) => {
    const opctl = `${ROOT}/cli/opctl.js`;
    const ended = await run(process.execPath, [opctl, "dev", "--port", "1", "--otlp-endpoint", endpoint], {
      env,
    });
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toContain(`"${name}"`);
  });

  it("does not start on a binding that the worker refuses, and says which", async () => {
    const [port, state] = [await freePort(), temporaryFolder()];
    const said: string[] = [];
    const options = { port, state, executor: "inline" as const, log: (line: string) => void said.push(line) };
    const started = startPlatform({ ...options, telemetry: { METRICS: "maybe" } });
    await expect(started).rejects.toThrow(
      /\/health must answer.*the setting \\"METRICS\\": it must be on or off; it is maybe/,
    );
    rmSync(state, { recursive: true, force: true });
  });

  it("counts nothing with --no-metrics", async () => {
    const off = await startDev({ args: ["--no-metrics"] });
    try {
      expect((await off.request("/metrics")).status).toBe(404);
      const response = await off.request("/ops/list_operation", {
        method: "POST",
        body: "{}",
        headers: traceOf("a".repeat(32)),
      });
      expect(response.headers.get("traceparent")).toBe(traceOf("a".repeat(32)).traceparent);
    } finally {
      await off.stop();
    }
  });
});
