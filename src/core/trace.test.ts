import { describe, expect, it } from "vitest";
import { parseTraceparent, parseTracestate, passOnContext, passOnTrace, traceVariables } from "./trace.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const NEW = /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/;

describe("passOnTrace()", () => {
  it.each([
    ["a sampled trace", `00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    ["one that is not sampled", `00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-00`],
    ["the flag of a random trace id", `00-${TRACE}-${SPAN}-03`, `00-${TRACE}-${SPAN}-03`],
    ["no flag that is not defined", `00-${TRACE}-${SPAN}-f9`, `00-${TRACE}-${SPAN}-01`],
    ["what it knows of a future version", `01-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    ["that without the fields that it adds", `cc-${TRACE}-${SPAN}-01-more.and-more`, `00-${TRACE}-${SPAN}-01`],
  ])("hands on %s", (_what, came, expected) => expect(passOnTrace(came)).toBe(expected));

  it.each([
    ["none", undefined],
    ["null", null],
    ["nothing", ""],
    ["garbage", "garbage"],
    ["all zeroes as the trace", `00-${"0".repeat(32)}-${SPAN}-01`],
    ["all zeroes as the span", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["the version that is forbidden", `ff-${TRACE}-${SPAN}-01`],
    ["version 00 with more fields", `00-${TRACE}-${SPAN}-01-more`],
    ["a future version that runs on", `01-${TRACE}-${SPAN}-01.more`],
    ["upper case", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ["a trace that is too short", `00-${TRACE.slice(1)}-${SPAN}-01`],
    ["two headers", `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
    ["two headers of a future version", `01-${TRACE}-${SPAN}-01, 01-${TRACE}-${SPAN}-01`],
    ["a space before it", ` 00-${TRACE}-${SPAN}-01`],
  ])("begins a trace where %s came", (_what, came) => {
    expect(passOnTrace(came)).toMatch(NEW);
    expect(passOnTrace(came)).not.toBe(passOnTrace(came));
    expect(parseTraceparent(came)).toBeUndefined();
  });
});

const many = (count: number) => Array.from({ length: count }, (_, place) => `k${place}=v`).join(",");

describe("parseTracestate()", () => {
  it.each([
    "congo=t61rcWkgMzE",
    "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE",
    "a=1,,b=2,\t",
    "fw529a3039@dt=FfAAAAAAAAAAAA,a-_*/z=x y!",
    many(32),
  ])("keeps %j to the letter", (header) => expect(parseTracestate(header)).toBe(header));

  it.each([
    ["none", null],
    ["nothing", " , "],
    ["no value", "congo"],
    ["an empty value", "congo="],
    ["an upper-case key", "Congo=1"],
    ["an equals sign in the value", "a=b=c"],
    ["a control character", "a=b\u0001"],
    ["a character that is not ASCII", "a=ä"],
    ["a key twice", "a=1,b=2,a=3"],
    ["33 members", many(33)],
    ["a value that is too long", `a=${"x".repeat(257)}`],
    ["a vendor's name that is too long", `t@${"v".repeat(15)}=1`],
  ])("drops all of it for %s", (_what, header) => expect(parseTracestate(header)).toBeUndefined());

  it("makes one that is too long fit: long members go first, then the last ones", () => {
    const short = Array.from({ length: 20 }, (_, place) => `k${place}=${"x".repeat(20)}`);
    const kept = parseTracestate([`long=${"x".repeat(200)}`, ...short].join(","));
    expect(kept).toBe(
      short.slice(0, 20).join(",").length <= 512 ? short.join(",") : short.slice(0, kept?.split(",").length).join(","),
    );
    expect(kept?.length).toBeLessThanOrEqual(512);
    expect(kept).not.toContain("long=");
    expect(kept?.startsWith("k0=")).toBe(true);
  });
});

const of = (headers: [string, string][]) => passOnContext(new Headers(headers));

describe("passOnContext()", () => {
  const came = `00-${TRACE}-${SPAN}-01`;

  it("hands both on, several tracestate headers as one", () => {
    expect(
      of([
        ["traceparent", came],
        ["tracestate", "a=1"],
        ["tracestate", "b=2"],
      ]),
    ).toEqual({
      traceparent: came,
      tracestate: "a=1, b=2",
    });
  });

  it.each([
    ["no traceparent", [["tracestate", "a=1"]]],
    [
      "a malformed traceparent",
      [
        ["traceparent", "00-1-2-01"],
        ["tracestate", "a=1"],
      ],
    ],
    [
      "two traceparents",
      [
        ["traceparent", came],
        ["traceparent", came],
        ["tracestate", "a=1"],
      ],
    ],
  ] as [string, [string, string][]][])("begins a trace without tracestate for %s", (_what, headers) => {
    expect(of(headers)).toEqual({ traceparent: expect.stringMatching(NEW) as string });
  });

  it("keeps the trace when only its tracestate is malformed", () => {
    expect(
      of([
        ["traceparent", came],
        ["tracestate", "A=1"],
      ]),
    ).toEqual({ traceparent: came });
  });
});

describe("traceVariables()", () => {
  it("names what OpenTelemetry's programs look for", () => {
    const parent = { name: "TRACEPARENT", value: "t" };
    expect(traceVariables({ traceparent: "t" })).toEqual([parent]);
    const both = [parent, { name: "TRACESTATE", value: "a=1" }];
    expect(traceVariables({ traceparent: "t", tracestate: "a=1" })).toEqual(both);
  });
});
