/** For tests: what a service is at, warm and with one replica unless told otherwise. */
import type { ServiceStatusView } from "./api.ts";

const AT = "2026-11-29T12:00:00Z";

export function replicaView(
  replica: string,
  changes: Partial<ServiceStatusView["replicas"][number]> = {},
): ServiceStatusView["replicas"][number] {
  return {
    replica,
    phase: "ready",
    revision: "3fa2b1c4",
    place: "rack-1",
    address: null,
    since: AT,
    requests: 0,
    cpu: null,
    count: 1,
    ready: 1,
    ended: null,
    lines: [],
    ...changes,
  };
}

export function statusView(changes: Partial<ServiceStatusView> = {}): ServiceStatusView {
  return {
    name: "albums",
    active: true,
    state_machine: "hot_cold",
    state: "hot",
    since: AT,
    because: ["waiting > 0: it was 3"],
    revision: "3fa2b1c4",
    outdated: 0,
    wanted: 1,
    ready: 1,
    settled: true,
    stuck: false,
    replicas: [replicaView("albums-1")],
    waiting: 0,
    facts: { waiting: 0, cpu: null },
    next: [
      {
        transition: "cool_down",
        to: "cold",
        holds: false,
        because: ["idle_seconds >= 300: it is 12"],
        not_before: null,
      },
    ],
    plan: [],
    steps: [],
    crashes: { failures: 0, looping: false, reason: null, lines: [], next_at: null },
    exposures: [
      { name: "door", protocol: "http", base_path: "/v1", via: "auto", ways: ["albums-1: by its runner's connection"] },
    ],
    problem: null,
    events: [
      { seq: 1, at: AT, what: "albums-1 is ready" },
      { seq: 2, at: AT, what: "hot: waiting > 0: it was 3" },
    ],
    ...changes,
  };
}
