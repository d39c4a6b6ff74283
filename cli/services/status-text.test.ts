import { expect, test } from "vitest";
import { replicaView, statusView } from "./_statuses.test-util.ts";
import { statusText } from "./status-text.ts";

test("statusText() lays out what a warm service is at", () => {
  expect(statusText(statusView()).split("\n")).toEqual([
    "albums",
    "  state          hot, since 2026-11-29T12:00:00Z",
    "  because        waiting > 0: it was 3",
    "  state machine  hot_cold",
    "  revision       3fa2b1c4",
    "  replicas       1 of 1 ready",
    "  waiting        0",
    "  facts          waiting 0, cpu not known",
    "",
    "Replicas",
    "  REPLICA   PHASE  REVISION  PLACE   SINCE                 REQUESTS",
    "  albums-1  ready  3fa2b1c4  rack-1  2026-11-29T12:00:00Z  0",
    "",
    "Reached by",
    "  door  http /v1, auto",
    "    albums-1: by its runner's connection",
    "",
    "What would move it",
    "  cool_down → cold: does not hold",
    "    idle_seconds >= 300: it is 12",
    "",
    "Happened",
    "  2026-11-29T12:00:00Z  albums-1 is ready",
    "  2026-11-29T12:00:00Z  hot: waiting > 0: it was 3",
  ]);
});

test("statusText() says what somebody must mend, and the last words of what does not come up", () => {
  const text = statusText(
    statusView({
      problem: "the environment rack-1 has no runner",
      ready: 0,
      replicas: [replicaView("albums-2", { phase: "ended", ended: "exit code 1", ready: 0, cpu: 0.256, count: 3 })],
      crashes: {
        failures: 3,
        looping: true,
        reason: "exit code 1",
        lines: ["no such table: albums"],
        next_at: "2026-11-29T12:01:00Z",
      },
      plan: ["1. start albums-3 (3fa2b1c4)"],
      steps: [{ step: "start", replica: "albums-3", since: "2026-11-29T12:00:30Z" }],
      next: [{ transition: "warm_up", to: "hot", holds: null, because: [], not_before: "2026-11-29T12:02:00Z" }],
    }),
  );
  expect(text).toContain("  problem        the environment rack-1 has no runner");
  expect(text).toContain("ended: exit code 1  0 of 3");
  expect(text).toContain("26%");
  expect(text).toContain("warm_up → hot: not known, not before 2026-11-29T12:02:00Z");
  expect(text).toContain("Planned\n  1. start albums-3 (3fa2b1c4)");
  expect(text).toContain("Under way\n  start albums-3 since 2026-11-29T12:00:30Z");
  expect(text).toContain(
    "It does not come up\n  3 starts in a row have failed; the next at 2026-11-29T12:01:00Z\n  exit code 1\n  | no such table: albums",
  );
});

test.each([
  ["Before it came up", statusView()],
  ["It does not come up", statusView({ replicas: [], ready: 0 })],
  ["It does not come up", statusView({ facts: { new_revision: true } })],
])("statusText() heads starts that failed with %j", (title, status) => {
  const crashes = { failures: 5, looping: true, reason: "no runner is connected", lines: [], next_at: null };
  expect(statusText({ ...status, crashes })).toContain(`${title}\n  5 starts in a row have failed`);
});

test("statusText() says a reason once, and that there are more events than it shows", () => {
  const at = "2026-11-29T12:00:00Z";
  const one = [
    "r-1: it is started",
    "r-1: it has ended: no / here",
    "a start failed: no / here; it tries again in 5 ms",
  ];
  const two = [
    "r-2: it has ended: no / here",
    "a start failed: no / here; that was 3 times in a row; it tries again in 9 ms",
  ];
  const three = [
    "r-3: it is started",
    "r-3: it has ended: exit code 1",
    "a start failed: exit code 1; it tries again in 5 ms",
  ];
  const events = [...one, ...two, ...three].map((what, place) => ({ seq: place + 1, at, what }));
  const shown = (status: typeof events) =>
    statusText(statusView({ events: status }))
      .split("Happened\n")[1]
      ?.split("\n");
  expect(shown(events)?.map((line) => line.split(at)[1]?.trim())).toEqual([
    "r-1: it is started",
    "r-1: it has ended: no / here",
    "a start failed: the same; it tries again in 5 ms",
    "r-2: it has ended: the same",
    "a start failed: the same; that was 3 times in a row; it tries again in 9 ms",
    "r-3: it is started",
    "r-3: it has ended: exit code 1",
    "a start failed: the same; it tries again in 5 ms",
  ]);
  expect(shown([...events, { seq: 9, at, what: "r-4: it is ready" }])?.at(-1)).toBe(
    "  1 more before: opctl watch service albums --all, or -o yaml",
  );
});
