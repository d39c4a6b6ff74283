import { expect, test } from "vitest";
import { logLine, viewOf } from "../testing/fake-executions.ts";
import { renderLogLine, renderState, renderTook } from "./lines.ts";

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1000, "1 s"],
  [59_999, "59.9 s"],
  [60_000, "1 min"],
  [200_000, "3 min 20 s"],
  [7_500_000, "2 h 5 min"],
  [86_400_000 * 3 + 5, "3 d"],
])("renderTook() says %i ms as %s", (ms, text) => {
  expect(renderTook(ms)).toBe(text);
});

const LOST = { code: "executor_lost", detail: "Cannot go on: it is gone" } as const;
const ATTEMPT = {
  attempt: 1,
  environment: null,
  started_at: "2026-11-22T09:00:00.000Z",
  finished_at: "2026-11-22T09:00:01.000Z",
  end: "lost",
  error: LOST,
} as const;

test.each([
  [{ status: "queued" }, "queued"],
  [{ status: "queued", next_attempt_at: "2026-11-22T10:00:00.000Z" }, "queued until 2026-11-22T10:00:00.000Z"],
  [{ status: "running", attempt: 1 }, "running, attempt 1"],
  [{ status: "succeeded", attempt: 1 }, "succeeded"],
  [{ status: "dead", attempt: 4 }, "dead, attempt 4"],
  [
    { status: "retrying", attempt: 1, attempts: [ATTEMPT], next_attempt_at: "2026-11-22T09:00:02.500Z" },
    "retrying, attempt 2 at 2026-11-22T09:00:02.500Z: Cannot go on: it is gone",
  ],
] as const)("renderState() of %j", (over, text) => {
  expect(renderState(viewOf(1, { ...over, attempts: "attempts" in over ? [...over.attempts] : [] }))).toBe(text);
});

test("renderLogLine() shows the attempt from the second on and the level where it is not info", () => {
  expect(renderLogLine(logLine(1))).toBe("09:00:01.250  line 1");
  expect(renderLogLine(logLine(1), { attempts: true })).toBe("09:00:01.250  #1  line 1");
  expect(renderLogLine(logLine(2, { attempt: 2, level: "warn", message: "a\nb" }))).toBe(
    "09:00:01.250  #2  warn  a\n    b",
  );
});
