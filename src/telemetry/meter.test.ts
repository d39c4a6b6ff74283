import { describe, expect, it } from "vitest";
import { BUCKETS, INSTRUMENTS, OTHER, type Delta } from "./instruments.ts";
import { Meter } from "./meter.ts";
import { exposition } from "./prometheus.ts";

const ended = { operation: "echo", environment: "inline", code: null, ms: 3 };
const setUp = () => {
  const told = { times: 0 };
  return { told, meter: new Meter(() => (told.times += 1)) };
};
const of = (deltas: readonly Delta[], instrument: string) => deltas.filter(([name]) => name === instrument);

describe("Meter", () => {
  it("adds up what happened, and hands it over once", () => {
    const { meter } = setUp();
    meter.call(ended);
    meter.call(ended);
    meter.call({ ...ended, environment: null, code: "timeout" });
    const taken = meter.take();
    expect(of(taken, "calls")).toEqual([
      ["calls", ["echo", "inline", "succeeded", ""], [2]],
      ["calls", ["echo", "", "failed", "timeout"], [1]],
    ]);
    expect(of(taken, "errors")).toEqual([["errors", ["timeout"], [1]]]);
    expect(meter.take()).toEqual([]);
  });

  it.each([
    [0, 0],
    [1, 0],
    [1.5, 1],
    [250, 6],
    [900_000, BUCKETS.length - 1],
    [900_001, BUCKETS.length],
  ])("puts %i ms into bucket %i, a bound into its own", (ms, bucket) => {
    const { meter } = setUp();
    meter.call({ ...ended, ms });
    const [, , cells = []] = of(meter.take(), "call_duration")[0] ?? [];
    expect(cells.indexOf(1)).toBe(bucket);
    expect(cells.at(-1)).toBeCloseTo(ms / 1_000, 9);
  });

  it("counts attempts, and those that were not the first", () => {
    const { meter } = setUp();
    meter.attempt(ended, { outcome: "succeeded", number: 1 });
    meter.attempt({ ...ended, code: "executor_lost" }, { outcome: "lost", number: 2 });
    const taken = meter.take();
    expect(of(taken, "retries")).toEqual([["retries", ["echo"], [1]]]);
    expect(of(taken, "attempts")).toEqual([
      ["attempts", ["echo", "inline", "succeeded", ""], [1]],
      ["attempts", ["echo", "inline", "lost", "executor_lost"], [1]],
    ]);
  });

  it("tells that there is something once, until it is taken", () => {
    const { meter, told } = setUp();
    expect(meter.isEmpty).toBe(true);
    meter.count("errors", "timeout");
    meter.count("errors", "forbidden");
    expect([told.times, meter.isEmpty]).toEqual([1, false]);
    meter.take();
    meter.count("errors", "timeout");
    expect(told.times).toBe(2);
  });

  it("holds a bounded number of series, and loses no count", () => {
    const { meter } = setUp();
    for (let n = 0; n < 6_000; n++) meter.count("retries", `op${n}`);
    const taken = meter.take();
    expect(taken.length).toBeLessThanOrEqual(5_001);
    expect(taken.reduce((sum, [, , [count = 0]]) => sum + count, 0)).toBe(6_000);
    expect(taken.find(([, [name]]) => name === OTHER)?.[2]).toEqual([1_000]);
  });
});

describe("exposition()", () => {
  it("names and explains every instrument, also one that has counted nothing", () => {
    const text = exposition([], []);
    for (const { name, type } of Object.values(INSTRUMENTS)) {
      expect(text).toContain(`# HELP ${name} `);
      expect(text).toContain(`# TYPE ${name} ${type}\n`);
    }
    expect(text).toContain("\nswitchyard_spans_exported_total 0\n");
    expect(text.endsWith("\n")).toBe(true);
  });

  it("adds a histogram's buckets up, to +Inf and the count", () => {
    const { meter } = setUp();
    for (const ms of [0.5, 3, 3, 2_000_000]) meter.call({ ...ended, ms });
    const lines = exposition(meter.take(), []).split("\n");
    const labels = 'operation="echo",environment="inline"';
    for (const line of [
      `switchyard_call_duration_seconds_bucket{${labels},le="0.001"} 1`,
      `switchyard_call_duration_seconds_bucket{${labels},le="0.005"} 3`,
      `switchyard_call_duration_seconds_bucket{${labels},le="900"} 3`,
      `switchyard_call_duration_seconds_bucket{${labels},le="+Inf"} 4`,
      `switchyard_call_duration_seconds_sum{${labels}} 2000.0065`,
      `switchyard_call_duration_seconds_count{${labels}} 4`,
    ]) {
      expect(lines).toContain(line);
    }
  });

  it("escapes labels and help as the format says", () => {
    const gauge = { name: "g", help: "a\\b\nc", samples: [{ labels: { l: 'a"b\\c\nd' }, value: 0.1 + 0.2 }] };
    const text = exposition([], [gauge]);
    expect(text).toContain("# HELP g a\\\\b\\nc\n");
    expect(text).toContain('g{l="a\\"b\\\\c\\nd"} 0.3\n');
  });

  it("is read line by line: a comment or a sample, no name explained twice", () => {
    const { meter } = setUp();
    meter.attempt({ ...ended, code: "timeout" }, { outcome: "failed", number: 3 });
    const lines = exposition(meter.take(), []).trimEnd().split("\n");
    for (const line of lines) {
      expect(line).toMatch(
        /^(?:# (?:HELP|TYPE) [a-z_]+ .+|[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+\})? (?:[0-9.e+-]+))$/,
      );
    }
    const types = lines.filter((line) => line.startsWith("# TYPE"));
    expect(new Set(types).size).toBe(types.length);
  });
});
