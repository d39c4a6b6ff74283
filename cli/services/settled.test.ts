import { expect, test } from "vitest";
import { statusView } from "./_statuses.test-util.ts";
import type { ServiceCommand, ServiceProgressView, ServiceSeen, ServiceStatusView } from "./api.ts";
import { settledOf } from "./settled.ts";

const part = (seen: Partial<ServiceProgressView> = {}): ServiceProgressView => {
  const { name, active, state, since, revision, outdated, wanted, ready, settled, stuck } = statusView(seen);
  return { name, active, state, since, revision, outdated, wanted, ready, settled, stuck };
};

const COLD: Partial<ServiceStatusView> = { state: "cold", because: ["idle_seconds >= 1: it was 2"], wanted: 0 };
const FAILED = { failures: 5, looping: true, reason: "exit code 1", lines: [], next_at: null };
const UNTOLD = "what stands in its way is for who may read the registry";

test.each<[string, ServiceCommand, ServiceSeen, unknown]>([
  ["deploy, warm", "deploy", statusView(), { done: true }],
  ["deploy, warm, seen in part", "deploy", part(), { done: true }],
  ["deploy, starting", "deploy", statusView({ settled: false }), { done: false }],
  [
    "deploy, cold again",
    "deploy",
    statusView(COLD),
    { done: false, stuck: "it went cold again: idle_seconds >= 1: it was 2" },
  ],
  ["deploy, cold again, seen in part", "deploy", part({ wanted: 0 }), { done: false, stuck: "it went cold again" }],
  [
    "deploy, crashing",
    "deploy",
    statusView({ crashes: FAILED, settled: false, stuck: true }),
    { done: false, stuck: "exit code 1" },
  ],
  ["deploy, crashing, seen in part", "deploy", part({ settled: false, stuck: true }), { done: false, stuck: UNTOLD }],
  [
    "deploy, with a problem",
    "deploy",
    statusView({ problem: "no runner", stuck: true }),
    { done: false, stuck: "no runner" },
  ],
  ["undeploy, still warm", "undeploy", statusView(), { done: false }],
  ["undeploy, one still drains", "undeploy", statusView({ ...COLD, settled: false }), { done: false }],
  ["undeploy, cold", "undeploy", statusView(COLD), { done: true }],
  ["restart, the same", "restart", statusView({ outdated: 1 }), { done: false }],
  ["restart, another", "restart", statusView(), { done: true }],
  ["restart, another, seen in part", "restart", part({ outdated: 1 }), { done: false }],
  ["restart of what is cold", "restart", statusView(COLD), { done: true }],
  ["scale, as many", "scale", statusView({ wanted: 2, ready: 2 }), { done: true }],
  ["scale, fewer", "scale", statusView({ wanted: 2, settled: false }), { done: false }],
])("settledOf() of %s", (_what, command, seen, expected) => {
  expect(settledOf(seen, command)).toEqual(expected);
});
