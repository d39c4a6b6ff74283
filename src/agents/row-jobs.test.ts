import * as v from "valibot";
import { describe, expect, test, vi } from "vitest";
import { AgentSchema, JobSchema, type JobRow } from "../model/agents.ts";
import { toDecisions, toSentences } from "../planner/index.ts";
import { planAgent } from "./plan-agent.ts";

const row = (fields: object): JobRow => v.parse(JobSchema, fields);
const PLUS_ONE = row({
  name: "plus_one",
  path: "/counters/:name",
  when: "value < target",
  effect: "value + 1",
  sentence: "{name} + 1",
});
const PLUS_TWO = row({
  name: "plus_two",
  path: "/counters/:name",
  when: "target - value > 1",
  expand: [{ job: "plus_one" }, { job: "plus_one" }],
  order: "ordered",
});
const AGENT = v.parse(AgentSchema, { name: "counters", jobs: ["plus_one", "plus_two"] });

const plans = async (jobs: JobRow[], state: unknown, target: unknown) =>
  toSentences(await planAgent({ agent: AGENT, jobs, state, target, trace: false }));

describe("planAgent()", () => {
  test("plans with rows as with functions", async () => {
    expect(await plans([PLUS_ONE, PLUS_TWO], { counters: { a: 0, b: 0 } }, { counters: { a: 3, b: 1 } })).toEqual([
      "1. a + 1",
      "2. a + 1, after 1",
      "3. a + 1, after 2",
      "4. b + 1",
    ]);
  });

  test("tells which condition did not hold, its own or that of a part", async () => {
    const both = row({ name: "both", path: "/counters/:name", expand: [{ job: "plus_one" }] });
    const long = row({ name: "long", path: "/counters/:name", when: `value <\n  target${" and true".repeat(30)}` });
    const jobs = [PLUS_ONE, both, long];
    const [state, target] = [{ counters: { a: 1 } }, { counters: { a: 0 } }];
    const lines = toDecisions(await planAgent({ agent: AGENT, jobs, state, target, trace: true }));
    expect(lines.map((line) => line.trim())).toEqual([
      "search 1",
      "for /counters/a: both at /counters/a: its condition does not hold: value < target (of plus_one)",
      "for /counters/a: plus_one at /counters/a: its condition does not hold: value < target",
      expect.stringMatching(/: long at .*does not hold: value < target and true.{90,110}…$/) as string,
    ]);
  });

  test("gives up a plan that takes too long, and names the job that it was at", async () => {
    let now = 0;
    const clock = vi.spyOn(Date, "now").mockImplementation(() => (now += 1_000));
    const away = row({ name: "away", path: "/n", effect: "value + 1" });
    await expect(plans([away], { n: 1 }, { n: 0 })).rejects.toMatchObject({
      code: "plan_failed",
      message: expect.stringMatching(/the job "away".*at most 60000 ms/) as string,
    });
    clock.mockRestore();
  });

  test("what is not known is not true, and does not stop the search", async () => {
    expect(await plans([PLUS_ONE], {}, { counters: { a: 1 } })).toEqual([
      "Not reached: /counters/a should be 1; it is not there.",
      "Every way was tried (0 tries).",
    ]);
  });

  test("without an effect a job does what the target wants, also away with it", async () => {
    const set = row({ name: "set", path: "/lamps/:lamp", change: "any" });
    expect(await plans([set], { lamps: { a: 1, b: 2 } }, { lamps: { a: null, b: 3, c: 4 } })).toEqual([
      "1. set /lamps/a",
      "2. set /lamps/b",
      "3. set /lamps/c",
    ]);
  });

  test("without an effect what the target does not name stays", async () => {
    const set = row({ name: "set", path: "/rooms/:room" });
    const state = { rooms: { hall: { lamp: "off", door: "shut", cat: 1 } } };
    const made = await planAgent({
      agent: AGENT,
      jobs: [set],
      state,
      target: { rooms: { "*": { lamp: "on", cat: null } } },
      trace: false,
    });
    expect(made).toMatchObject({ reached: true, unmet: [] });
    expect(made.state).toEqual({ rooms: { hall: { lamp: "on", door: "shut" } } });
  });

  test("reads what the row names, under the pointer that it names it by", async () => {
    const fetchImage = row({ name: "fetch", path: "/images/:image", change: "create", effect: "true" });
    const start = row({
      name: "start",
      path: "/services/:name",
      change: "any",
      reads: ["/images"],
      when: "$lookup(reads.`/images`, target) = true",
    });
    expect(await plans([start, fetchImage], { images: {} }, { services: { web: "v1" }, images: { v1: true } })).toEqual(
      ["1. fetch /images/v1", "2. start /services/web, after 1"],
    );
  });

  test("expands by an expression, with parameters in paths", async () => {
    const both = row({
      name: "both",
      path: "/pairs/:pair",
      expand: `$keys(value).{"job": "set", "path": $$.path & "/" & $, "target": true}`,
    });
    const set = row({ name: "set", path: "/pairs/:pair/:side", effect: "target" });
    const state = { pairs: { x: { l: false, r: false } } };
    expect(await plans([both, set], state, { pairs: { x: { l: true, r: true } } })).toEqual([
      "1. set /pairs/x/l",
      "2. set /pairs/x/r",
    ]);
  });

  test.each([
    ["an effect that fails", row({ name: "bad", path: "/x", effect: "$number('no')" })],
    ["a part that is none of its jobs", row({ name: "bad", path: "/x", expand: "{'job': 'none'}" })],
    ["an effect without a result", row({ name: "bad", path: "/x", effect: "nothing" })],
  ])("names the job at fault: %s", async (_what, job) => {
    const failing = planAgent({ agent: AGENT, jobs: [job], state: { x: 0 }, target: { x: 1 }, trace: false });
    await expect(failing).rejects.toMatchObject({ code: "plan_failed", hint: "opctl get job bad -o yaml" });
  });
});
