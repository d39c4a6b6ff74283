import { describe, expect, it } from "vitest";
import { attributesOf, readOtlp } from "../../test/contracts/otlp.ts";
import { encodeSpans } from "./otlp.ts";
import type { Span } from "./tracer.ts";

const SPAN: Span = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  parentSpanId: undefined,
  tracestate: undefined,
  flags: 1,
  name: "POST /ops/:name",
  kind: "server",
  startMs: 1_764_409_200_123,
  endMs: 1_764_409_200_124.5,
  attributes: { text: "a", count: 2, share: 0.5, yes: true, none: undefined },
  link: undefined,
  isError: false,
};
const encoded = (span: Partial<Span> = {}) =>
  encodeSpans([{ ...SPAN, ...span }], { "service.name": "switchyard" }, { name: "switchyard", version: "1" });
const spanIn = (text: string) => readOtlp(text).spans[0];

describe("encodeSpans()", () => {
  it("writes what the protocol names: ids in hex, nanoseconds and integers as strings, enums as numbers", () => {
    const { resource } = readOtlp(encoded());
    expect(resource).toEqual({ "service.name": "switchyard" });
    expect(spanIn(encoded())).toEqual({
      traceId: SPAN.traceId,
      spanId: SPAN.spanId,
      flags: 1,
      name: "POST /ops/:name",
      kind: 2,
      startTimeUnixNano: "1764409200123000000",
      endTimeUnixNano: "1764409200124000000",
      attributes: [
        { key: "text", value: { stringValue: "a" } },
        { key: "count", value: { intValue: "2" } },
        { key: "share", value: { doubleValue: 0.5 } },
        { key: "yes", value: { boolValue: true } },
      ],
      status: {},
    });
  });

  it("names the parent, the tracestate, the link and the error where there are any", () => {
    const link = { traceId: "a".repeat(32), spanId: "b".repeat(16) };
    const span = spanIn(
      encoded({ parentSpanId: "c".repeat(16), tracestate: "a=1", link, isError: true, kind: "consumer" }),
    );
    expect(span).toMatchObject({
      parentSpanId: "c".repeat(16),
      traceState: "a=1",
      links: [link],
      status: { code: 2 },
      kind: 5,
    });
  });
});

const changed = (change: (span: Record<string, unknown>) => void): string => {
  const body = JSON.parse(encoded()) as { resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[] };
  const span = body.resourceSpans[0]?.scopeSpans[0]?.spans[0];
  if (span !== undefined) change(span);
  return JSON.stringify(body);
};

/** Whoever trusts the check wants to see it refuse. */
describe("readOtlp()", () => {
  it.each([
    ["an unknown field", { parent_span_id: "c".repeat(16) }],
    ["an id that is too short", { traceId: "ab" }],
    ["an id in base64", { spanId: "APBnqguyArc=" }],
    ["an id of zeroes", { traceId: "0".repeat(32) }],
    ["a time as a number", { startTimeUnixNano: 1_764_409_200_123_000_000 }],
    ["an end before the beginning", { endTimeUnixNano: "1" }],
    ["a kind by its name", { kind: "SPAN_KIND_SERVER" }],
    ["an unspecified kind", { kind: 0 }],
    ["an integer as a number", { attributes: [{ key: "a", value: { intValue: 1 } }] }],
    ["a value of two sorts", { attributes: [{ key: "a", value: { intValue: "1", stringValue: "1" } }] }],
    [
      "the same key twice",
      {
        attributes: [
          { key: "a", value: { stringValue: "1" } },
          { key: "a", value: { stringValue: "1" } },
        ],
      },
    ],
    ["a status by its name", { status: { code: "STATUS_CODE_ERROR" } }],
  ])("refuses %s", (_what, change) => {
    expect(() => readOtlp(changed((span) => Object.assign(span, change)))).toThrow();
  });

  it("takes what is right", () => {
    expect(attributesOf(spanIn(changed(() => undefined))?.attributes)).toMatchObject({ text: "a", count: "2" });
  });
});
