import { describe, expect, it } from "vitest";
import { createSampler, SAMPLERS, type Sampler } from "./sampler.ts";
import { createTracer, type Span } from "./tracer.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const START = { name: "POST /ops/:name", kind: "server" as const };

function setUp(sampler: Sampler = createSampler("parentbased_always_on", 1)) {
  const spans: Span[] = [];
  const clock = { now: 1_000 };
  const tracer = createTracer({ sampler, take: (span) => void spans.push(span), now: () => clock.now });
  return { tracer, spans, clock };
}
const headers = (traceparent: string, tracestate?: string) =>
  new Headers({ traceparent, ...(tracestate === undefined ? {} : { tracestate }) });

describe("enter()", () => {
  it("goes on with the caller's trace in a span of its own", () => {
    const { tracer, spans, clock } = setUp();
    const { trace, span } = tracer.enter(headers(`00-${TRACE}-${SPAN}-01`, "a=1"), START);
    clock.now = 1_007;
    span?.end({ "http.response.status_code": 200 });
    const [ended] = spans;
    expect(ended).toMatchObject({
      traceId: TRACE,
      parentSpanId: SPAN,
      tracestate: "a=1",
      flags: 1,
      startMs: 1_000,
      endMs: 1_007,
      isError: false,
    });
    expect(ended?.spanId).not.toBe(SPAN);
    expect(trace).toEqual({ traceparent: `00-${TRACE}-${ended?.spanId}-01`, tracestate: "a=1" });
  });

  it.each([
    ["nothing", {}],
    ["a malformed traceparent", { traceparent: "00-1-2-01", tracestate: "a=1" }],
    ["one of zeroes", { traceparent: `00-${"0".repeat(32)}-${SPAN}-01`, tracestate: "a=1" }],
    ["two of them", { traceparent: `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`, tracestate: "a=1" }],
  ])("begins a trace where %s came", (_what, came) => {
    const { tracer, spans } = setUp();
    const { trace, span } = tracer.enter(new Headers(came), START);
    span?.end();
    expect(spans[0]).toMatchObject({ parentSpanId: undefined, tracestate: undefined });
    expect(trace).toEqual({ traceparent: `00-${spans[0]?.traceId}-${spans[0]?.spanId}-01` });
  });

  it("makes no span of a trace that its caller does not keep, and hands it on as it came", () => {
    const { tracer, spans } = setUp();
    const came = `00-${TRACE}-${SPAN}-00`;
    const { trace, span } = tracer.enter(headers(came, "a=1"), START);
    expect({ trace, span }).toEqual({ trace: { traceparent: came, tracestate: "a=1" }, span: undefined });
    expect(tracer.begin(trace, START)).toBeUndefined();
    expect(spans).toEqual([]);
  });

  it("says so to those it asks when it does not keep what its caller does", () => {
    const { tracer } = setUp(createSampler("always_off", 1));
    expect(tracer.enter(headers(`00-${TRACE}-${SPAN}-03`), START).trace.traceparent).toBe(`00-${TRACE}-${SPAN}-02`);
  });
});

describe("root()", () => {
  const begun = { traceparent: `00-${TRACE}-${SPAN}-01`, isRoot: true } as const;

  it("begins a trace without a parent, where its id says so", () => {
    const { tracer, spans } = setUp();
    tracer.root(begun, START).span?.end();
    expect(spans[0]).toMatchObject({ traceId: TRACE, parentSpanId: undefined, flags: 1 });
    expect(spans[0]?.spanId).not.toBe(SPAN);
  });

  it("tells those it asks when it is not kept", () => {
    const { tracer } = setUp(createSampler("parentbased_always_off", 1));
    expect(tracer.root(begun, START)).toEqual({ trace: { traceparent: `00-${TRACE}-${SPAN}-00` }, span: undefined });
  });
});

describe("begin()", () => {
  it("makes a child, linked to what led to it", () => {
    const { tracer, spans } = setUp();
    const parent = tracer.enter(headers(`00-${TRACE}-${SPAN}-01`, "a=1"), START).trace;
    const child = tracer.begin(parent, { ...START, kind: "consumer", link: parent });
    child?.end({}, { error: "timeout", kind: "producer" });
    expect(spans[0]).toMatchObject({ traceId: TRACE, kind: "producer", isError: true, tracestate: "a=1" });
    expect(spans[0]?.attributes["error.type"]).toBe("timeout");
    expect(parent.traceparent).toContain(String(spans[0]?.parentSpanId));
    expect(spans[0]?.link?.spanId).toBe(spans[0]?.parentSpanId);
  });

  it("ends no span before it began, whatever the clock does", () => {
    const { tracer, spans, clock } = setUp();
    const child = tracer.begin({ traceparent: `00-${TRACE}-${SPAN}-01` }, START);
    clock.now = 10;
    child?.end();
    expect(spans[0]).toMatchObject({ startMs: 1_000, endMs: 1_000 });
  });

  it.each(["", "t", `00-${TRACE}-${SPAN}-00`])("makes none under %j", (traceparent) => {
    expect(setUp().tracer.begin({ traceparent }, START)).toBeUndefined();
  });
});

describe("createSampler()", () => {
  const kept = { traceId: TRACE, spanId: SPAN, flags: 1 };
  const left = { ...kept, flags: 0 };

  it.each([
    ["always_on", [true, true, true]],
    ["always_off", [false, false, false]],
    ["traceidratio", [false, false, false]],
    ["parentbased_always_on", [true, true, false]],
    ["parentbased_always_off", [false, true, false]],
    ["parentbased_traceidratio", [false, true, false]],
  ] as const)("%s decides for a root, for the child of a kept parent and of another", (name, expected) => {
    const sampler = createSampler(name, 0);
    expect([undefined, kept, left].map((parent) => sampler(TRACE, parent))).toEqual(expected);
  });

  it("knows no other", () => expect(SAMPLERS).toHaveLength(6));

  it("keeps the share of traces that it is told, and with a higher ratio those and more", () => {
    const ids = Array.from({ length: 4_000 }, (_, n) =>
      ((BigInt(n) * 0x9e3779b97f4a7c15f39cc0605cedc835n) % (1n << 128n)).toString(16).padStart(32, "0"),
    );
    const keptBy = (ratio: number) => new Set(ids.filter((id) => createSampler("traceidratio", ratio)(id, undefined)));
    const [none, tenth, half, all] = [keptBy(0), keptBy(0.1), keptBy(0.5), keptBy(1)];
    expect([none.size, all.size]).toEqual([0, ids.length]);
    expect(tenth.size / ids.length).toBeCloseTo(0.1, 1);
    expect(half.size / ids.length).toBeCloseTo(0.5, 1);
    expect([...tenth].every((id) => half.has(id))).toBe(true);
  });
});
