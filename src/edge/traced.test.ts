import { describe, expect, it } from "vitest";
import { Meter } from "../telemetry/meter.ts";
import { createTracer, type Span } from "../telemetry/tracer.ts";
import { createApp } from "./app.ts";
import type { Platform } from "./context.ts";
import { fakePlatform } from "./_fake-platform.node.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

function setUp() {
  const spans: Span[] = [];
  const meter = new Meter(() => undefined);
  const tracer = createTracer({ sampler: () => true, take: (span) => void spans.push(span), now: () => 1 });
  const { platform } = fakePlatform();
  const app = createApp({
    ...(platform as unknown as Platform),
    telemetry: { meter, tracer },
    exposition: async () => "# the text\n",
  });
  const ask = (path: string, headers: Record<string, string> = {}) =>
    app.request(path, { headers: { authorization: "Bearer sy_reader", ...headers } });
  return { ask, spans, meter };
}

describe("a request that is traced", () => {
  it("is one span, by its route and never by its path", async () => {
    const { ask, spans } = setUp();
    await ask("/executions/s3cr3t-in-a-path?token=s3cr3t", { traceparent: `00-${TRACE}-${SPAN}-01` });
    expect(spans).toHaveLength(1);
    expect(spans[0]).toMatchObject({
      name: "GET /executions/:id",
      kind: "server",
      traceId: TRACE,
      parentSpanId: SPAN,
      attributes: { "http.request.method": "GET", "http.route": "/executions/:id", "http.response.status_code": 404 },
      isError: false,
    });
    expect(JSON.stringify(spans)).not.toContain("s3cr3t");
  });

  it("is answered the same when it is refused, and the refusal is counted by its code", async () => {
    const { ask, spans, meter } = setUp();
    const response = await ask("/executions", { authorization: "" });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([401, "unauthenticated"]);
    expect(spans[0]?.attributes["http.response.status_code"]).toBe(401);
    expect(meter.take()).toEqual([["errors", ["unauthenticated"], [1]]]);
  });

  it("is not one that watches", async () => {
    const { ask, spans } = setUp();
    await ask("/metrics");
    expect(spans).toEqual([]);
  });
});

describe("GET /metrics", () => {
  it("answers the text format to whoever may read the registry", async () => {
    const { ask } = setUp();
    // As Prometheus asks.
    const accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    const response = await ask("/metrics", { accept });
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await response.text()).toBe("# the text\n");
    expect((await ask("/metrics", { authorization: "Bearer sy_owner" })).status).toBe(403);
    expect((await ask("/metrics", { authorization: "" })).status).toBe(401);
  });

  it("is not there when metrics are off", async () => {
    const { platform } = fakePlatform();
    const response = await createApp(platform as unknown as Platform).request("/metrics", {
      headers: { authorization: "Bearer sy_reader" },
    });
    expect(response.status).toBe(404);
    expect(((await response.json()) as { detail: string }).detail).toContain("METRICS");
  });
});
