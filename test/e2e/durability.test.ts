/** `npm run soak` with 20 kills; and that its checks see what they are there for. */
import { describe, expect, it } from "vitest";
import type { ExecutionView } from "../../src/model/execution.ts";
import { check } from "../soak/_check.ts";
import { History, type Seen } from "../soak/_history.ts";
import { explain, soak } from "../soak/_soak.ts";

const SEED = 3;

describe("durable executions", () => {
  it("lose nothing and do nothing twice when edge, executors, registry and all of it are killed 20 times", async () => {
    const lines: string[] = [];
    const result = await soak({
      writes: { step: 13, rounds: 3 },
      restarts: { restarts: 3, attemptMs: 2_000 },
      random: { kills: 14, seed: SEED, gapMs: 700, callers: 5, freezes: false },
      endWithinMs: 60_000,
      say: (line) => void lines.push(line),
    });
    const report = [...lines, ...result.summary, ...explain(result)].join("\n");
    expect(result.violations, report).toEqual([]);
    expect(Object.values(result.kills).reduce((sum, kills) => sum + kills, 0)).toBeGreaterThanOrEqual(20);
    const ends = new Set([...result.records.values()].flatMap(({ view }) => view.attempts.map(({ end }) => end)));
    // Without attempts that were interrupted nothing was tried here.
    expect([...ends], report).toContain("interrupted");
    expect(result.records.size).toBeGreaterThan(50);
  }, 180_000);
});

const AT = "2026-01-01T00:00:00.000Z";
const LATER = "2026-01-01T00:00:01.000Z";
const LATEST = "2026-01-01T00:00:02.000Z";

type Attempt = ExecutionView["attempts"][number];

function attempt(number: number, end: Attempt["end"] = "succeeded", from = AT, to = LATER): Attempt {
  return { attempt: number, environment: "inline", started_at: from, finished_at: to, end, error: null };
}

function seen(id: string, change: Partial<ExecutionView> = {}, output: Record<string, unknown> | null = {}): Seen {
  const attempts = change.attempts ?? [attempt(1)];
  const view = {
    id,
    attempts,
    operation: "soak_fast",
    status: "succeeded",
    attempt: attempts.at(-1)?.attempt ?? 0,
    finished_at: LATER,
    parent: null,
    error: null,
    output: null,
    ...change,
  } as ExecutionView;
  const told = output === null ? undefined : JSON.stringify({ id, attempt: view.attempt, n: 0, ...output });
  return { view, output: told, logs: [], n: 0 };
}

/** One request, accepted as `a`, which has been seen to succeed. */
function sound(): { history: History; final: Map<string, Seen> } {
  const history = new History();
  history.ask("soak_fast", {}, { key: "k" }).ids.push("a");
  history.ended.set("a", seen("a"));
  return { history, final: new Map([["a", seen("a")]]) };
}

type World = ReturnType<typeof sound>;

const BROKEN: readonly (readonly [rule: string, make: (world: World) => void])[] = [
  ["what was acknowledged is there", ({ final }) => final.delete("a")],
  ["a request has one execution", ({ history }) => history.asked[0]?.ids.push("b")],
  ["a request runs as one execution", ({ final }) => final.set("b", seen("b"))],
  ["nothing runs that was not accepted", ({ final }) => final.set("b", seen("b"))],
  ["everything ends", ({ final }) => final.set("a", seen("a", { status: "running" }, null))],
  ["an output is there exactly when it succeeded", ({ final }) => final.set("a", seen("a", {}, null))],
  ["the output is that of the last attempt", ({ final }) => final.set("a", seen("a", {}, { attempt: 7 }))],
  ["the output is that of the last attempt", ({ final }) => final.set("a", seen("a", {}, { id: "b" }))],
  [
    "the log of the attempt that counts is whole, and there once",
    ({ final }) => final.set("a", { ...seen("a"), logs: ["start a 1"] }),
  ],
  [
    "a log has the lines of its own execution",
    ({ final }) => final.set("a", { ...seen("a"), logs: ["start b 1", "end b 1"] }),
  ],
  [
    "attempts only rise, and no number comes twice",
    ({ final }) => final.set("a", seen("a", { attempts: [attempt(1, "failed"), attempt(1)] })),
  ],
  [
    "nothing is tried again after it succeeded",
    ({ final }) => final.set("a", seen("a", { attempts: [attempt(1), attempt(2)] })),
  ],
  ["it succeeded exactly when one attempt did", ({ final }) => final.set("a", seen("a", { status: "dead" }, null))],
  ["only what fails by itself is dead", ({ final }) => final.set("a", seen("a", { status: "dead" }, null))],
  ["no attempt has a number that was not given out", ({ final }) => final.set("a", seen("a", { attempt: 0 }))],
  [
    "the operation's own tries are limited",
    ({ final }) =>
      final.set("a", seen("a", { attempts: [1, 2, 3, 4, 5].map((n) => attempt(n, "failed")), status: "dead" }, null)),
  ],
  ["an outcome never changes", ({ final }) => final.set("a", seen("a", {}, { n: 0, other: true }))],
  ["what has ended stays listed", ({ final }) => final.delete("a")],
  ["what was cancelled stays cancelled", ({ history }) => history.cancels.push({ id: "a", answer: "cancelled" })],
  [
    "what had ended was not cancelled",
    ({ history, final }) => {
      history.cancels.push({ id: "a", answer: "final" });
      final.set("a", seen("a", { status: "cancelled", attempts: [] }, null));
    },
  ],
  [
    "a cancel reaches the children",
    ({ final }) => {
      final.set("a", seen("a", { status: "cancelled", attempts: [] }, null));
      final.set("c", seen("c", { parent: "a", finished_at: "2026-01-01T00:05:00.000Z" }));
    },
  ],
  [
    "one at a time in a lane",
    ({ final }) => {
      const lane = { operation: "soak_lane" };
      final.set("a", seen("a", { ...lane, attempts: [attempt(1, "succeeded", AT, LATEST)] }, { lane: 1 }));
      final.set("b", seen("b", { ...lane, attempts: [attempt(1, "succeeded", LATER, LATEST)] }, { lane: 1 }));
    },
  ],
  ["attempts only rise", ({ history }) => readTwice(history, { attempt: 2 }, { attempt: 1 })],
  ["what has ended stays ended", ({ history }) => readTwice(history, { status: "dead" }, { status: "succeeded" })],
  [
    "what is recorded of an attempt stays",
    ({ history }) => readTwice(history, { attempts: [attempt(1, "failed")] }, { attempts: [attempt(1)] }),
  ],
];

function readTwice(history: History, first: Partial<ExecutionView>, second: Partial<ExecutionView>): void {
  history.read(seen("x", first).view);
  history.read(seen("x", second).view);
}

describe("check()", () => {
  it("finds nothing wrong with a sound history", () => {
    const { history, final } = sound();
    expect(check(history, final)).toEqual([]);
  });

  it.each(BROKEN)("sees that this does not hold: %s", (rule, make) => {
    const world = sound();
    make(world);
    expect(check(world.history, world.final).map((violation) => violation.rule)).toContain(rule);
  });
});
