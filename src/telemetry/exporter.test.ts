import { beforeEach, describe, expect, it, vi } from "vitest";
import { readOtlp } from "../../test/contracts/otlp.ts";
import { Exporter, type DropReason } from "./exporter.ts";
import type { Span } from "./tracer.ts";

const span = (n: number): Span => ({
  traceId: (n + 1).toString(16).padStart(32, "0"),
  spanId: (n + 1).toString(16).padStart(16, "0"),
  parentSpanId: undefined,
  tracestate: undefined,
  flags: 1,
  name: "s",
  kind: "internal",
  startMs: 1,
  endMs: 2,
  attributes: {},
  link: undefined,
  isError: false,
});

/** Time passes only in sleep(), at once; `answers` are given in turn, the last for ever. */
function setUp(answers: (() => Response | Promise<Response>)[]) {
  const seen = {
    sizes: [] as number[],
    slept: [] as number[],
    exported: 0,
    dropped: {} as Record<string, number>,
    headers: new Headers(),
  };
  const work: Promise<void>[] = [];
  let now = 1_000;
  let turn = 0;
  const exporter = new Exporter({
    url: "http://collector.invalid/v1/traces",
    headers: { "x-key": "k" },
    resource: { "service.name": "switchyard" },
    version: "1",
    async send(request) {
      seen.headers = request.headers;
      seen.sizes.push(readOtlp(await request.text()).spans.length);
      const answer = answers[Math.min(turn++, answers.length - 1)];
      if (answer === undefined) throw new TypeError("no answer");
      return answer();
    },
    background: (promise) => void work.push(promise),
    now: () => now,
    async sleep(ms) {
      seen.slept.push(ms);
      now += ms;
    },
    random: () => 1,
    exported: (count) => (seen.exported += count),
    dropped: (count: number, reason: DropReason) => (seen.dropped[reason] = (seen.dropped[reason] ?? 0) + count),
  });
  const settled = async (): Promise<void> => {
    for (let done = 0; done < work.length; done++) await work[done];
  };
  const take = (count: number) => {
    for (let n = 0; n < count; n++) exporter.take(span(n));
  };
  return { seen, take, settled, flushes: () => work.length };
}

const ok = () => Response.json({});
const status =
  (code: number, headers: Record<string, string> = {}) =>
  () =>
    new Response("no", { status: code, headers });
const gone = () => Promise.reject(new TypeError("connection refused"));

describe("take()", () => {
  let lines: string[];
  beforeEach(() => {
    lines = [];
    vi.spyOn(console, "warn").mockImplementation((line: string) => void lines.push(line));
  });

  it("sends what ends within a second as one request, with the collector's headers", async () => {
    const { seen, take, settled } = setUp([ok]);
    take(3);
    await settled();
    expect(seen).toMatchObject({ sizes: [3], exported: 3, dropped: {}, slept: [1_000] });
    expect(seen.headers.get("x-key")).toBe("k");
    expect(seen.headers.get("content-type")).toBe("application/json");
  });

  it("sends many in several requests", async () => {
    const { seen, take, settled } = setUp([ok]);
    take(1_100);
    await settled();
    expect(seen).toMatchObject({ sizes: [512, 512, 76], exported: 1_100 });
  });

  it("drops what the buffer has no room for, and counts it", async () => {
    const { seen, take, settled } = setUp([ok]);
    take(2_100);
    await settled();
    expect(seen).toMatchObject({ exported: 2_048, dropped: { buffer_full: 52 } });
  });

  it.each([429, 502, 503, 504])("sends it again after %i", async (code) => {
    const { seen, take, settled } = setUp([status(code), ok]);
    take(1);
    await settled();
    expect(seen).toMatchObject({ sizes: [1, 1], exported: 1, dropped: {}, slept: [1_000, 500] });
  });

  it("waits as long as Retry-After says, within reason", async () => {
    const { seen, take, settled } = setUp([
      status(503, { "retry-after": "2" }),
      status(429, { "retry-after": "3600" }),
      ok,
    ]);
    take(1);
    await settled();
    expect(seen).toMatchObject({ exported: 1, slept: [1_000, 2_000, 5_000] });
  });

  it.each([400, 401, 404, 413, 500, 301])("drops what is refused with %i at once", async (code) => {
    const { seen, take, settled } = setUp([status(code)]);
    take(2);
    await settled();
    expect(seen).toMatchObject({ sizes: [2], exported: 0, dropped: { refused: 2 } });
  });

  it("counts what a collector takes in part", async () => {
    const { seen, take, settled } = setUp([() => Response.json({ partialSuccess: { rejectedSpans: "2" } })]);
    take(5);
    await settled();
    expect(seen).toMatchObject({ sizes: [5], exported: 3, dropped: { refused: 2 } });
  });

  it("gives up on a collector that is gone, says so once a minute, and goes on with what comes", async () => {
    const { seen, take, settled } = setUp([gone, gone, gone, gone, gone, gone, ok]);
    take(1);
    await settled();
    take(1);
    await settled();
    take(1);
    await settled();
    expect(seen).toMatchObject({ exported: 1, dropped: { unanswered: 2 } });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "warn",
      message: expect.stringContaining("connection refused") as string,
    });
  });

  it("never has two requests under way", async () => {
    const { take, settled, flushes } = setUp([ok]);
    take(10);
    expect(flushes()).toBe(1);
    await settled();
    take(1);
    expect(flushes()).toBe(2);
    await settled();
  });
});
