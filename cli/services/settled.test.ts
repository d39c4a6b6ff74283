import { expect, test } from "vitest";
import { replicaView, statusView } from "./_statuses.test-util.ts";
import type { ServiceCommand, ServiceStatusView } from "./api.ts";
import { settledOf } from "./settled.ts";

const WARM = statusView();
const COLD = statusView({ state: "cold", because: ["idle_seconds >= 1: it is 2"], wanted: 0, replicas: [] });
const FAILED = { failures: 5, looping: true, reason: "exit code 1", lines: [], next_at: null };

test.each<[string, ServiceCommand, ServiceStatusView, unknown]>([
  ["deploy, warm", "deploy", WARM, { done: true }],
  ["deploy, cold again", "deploy", COLD, { done: false, stuck: "it went cold again: idle_seconds >= 1: it is 2" }],
  [
    "deploy, starting",
    "deploy",
    statusView({ replicas: [replicaView("a", { phase: "starting", ready: 0 })] }),
    { done: false },
  ],
  [
    "deploy, a step under way",
    "deploy",
    statusView({ steps: [{ step: "start", replica: "b", since: "" }] }),
    { done: false },
  ],
  ["deploy, one of two", "deploy", statusView({ wanted: 2 }), { done: false }],
  [
    "deploy, a set of two",
    "deploy",
    statusView({ wanted: 2, replicas: [replicaView("a", { count: 2, ready: 2 })] }),
    { done: true },
  ],
  ["deploy, crashing", "deploy", statusView({ crashes: FAILED, replicas: [] }), { done: false, stuck: "exit code 1" }],
  ["deploy, up after starts that failed", "deploy", statusView({ crashes: FAILED }), { done: true }],
  ["deploy, with a problem", "deploy", statusView({ problem: "no runner" }), { done: false, stuck: "no runner" }],
  ["undeploy, still warm", "undeploy", WARM, { done: false }],
  [
    "undeploy, cold",
    "undeploy",
    statusView({ ...COLD, replicas: [replicaView("a", { phase: "ended" })] }),
    { done: true },
  ],
  ["restart, the same", "restart", statusView({ replicas: [replicaView("old")] }), { done: false }],
  ["restart, another", "restart", WARM, { done: true }],
  [
    "restart, the old one goes",
    "restart",
    statusView({ replicas: [replicaView("a"), replicaView("b", { phase: "draining" })] }),
    { done: false },
  ],
  ["restart of what is cold", "restart", COLD, { done: true }],
  [
    "scale, as many",
    "scale",
    statusView({ wanted: 2, replicas: [replicaView("a"), replicaView("b")] }),
    { done: true },
  ],
  ["scale, fewer", "scale", statusView({ wanted: 2 }), { done: false }],
])("settledOf() of %s", (_what, command, status, expected) => {
  expect(settledOf(status, { command, before: new Set(["old"]) })).toEqual(expected);
});
