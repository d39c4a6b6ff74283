import * as v from "valibot";
import { expect, test } from "vitest";
import { READY_MADE } from "../machines/ready-made.ts";
import { ServiceSchema } from "../model/services.ts";
import { NO_CRASHES } from "./_crashes.ts";
import type { Head, Replica } from "./_kept.ts";
import { progressOf, type Progress } from "./_progress.ts";

const FAILED = { ...NO_CRASHES, failures: 5, reason: "exit code 1" };
const machine = READY_MADE.find(({ name }) => name === "hot_cold");

/** Hot with one replica, or with `least`, or cold. */
function head({
  least = 1,
  problem = null,
  ...more
}: Partial<Head> & { least?: number; problem?: string | null } = {}): Head {
  const row = v.parse(ServiceSchema, { name: "albums", environment: "rack-1", replicas: { min: least } });
  const settings = { row, machine, problem };
  return {
    settings,
    content: "v",
    generation: 0,
    state: "hot",
    scaled: 1,
    crashes: NO_CRASHES,
    isGone: false,
    ...more,
  } as Head;
}

const replica = (more: Partial<Replica> = {}): Replica =>
  ({ replica: "a", revision: "v", phase: "ready", count: 1, ready: 1, step: null, ...more }) as Replica;

const cold = head({ state: "cold" });
const starting = replica({ phase: "starting", ready: 0, step: "start" });

test.each<[string, Head, Replica[], Partial<Progress>]>([
  ["cold", cold, [], { settled: true, stuck: false, wanted: 0, ready: 0, outdated: 0 }],
  ["cold, one still drains", cold, [replica({ phase: "draining" })], { settled: false, stuck: false }],
  ["cold, one still serves", cold, [replica()], { settled: false, ready: 1 }],
  ["warm", head(), [replica()], { settled: true, stuck: false, wanted: 1, ready: 1, revision: "v" }],
  ["nothing there yet", head(), [], { settled: false, stuck: false }],
  ["starting", head(), [starting], { settled: false, stuck: false, ready: 0 }],
  ["a step under way", head(), [replica(), replica({ phase: "stopping", step: "stop" })], { settled: false }],
  ["one beside those that serve", head(), [replica(), replica({ phase: "candidate" })], { settled: false }],
  [
    "restarted, the old one there",
    head({ generation: 1 }),
    [replica()],
    { settled: true, outdated: 1, revision: "v-1" },
  ],
  ["restarted", head({ generation: 1 }), [replica({ revision: "v-1" })], { settled: true, outdated: 0 }],
  ["a set of two", head({ least: 2 }), [replica({ count: 2, ready: 2 })], { settled: true, ready: 2 }],
  ["a set of which one is ready", head({ least: 2 }), [replica({ count: 2, ready: 1 })], { settled: false }],
  ["crashing", head({ crashes: FAILED }), [], { settled: false, stuck: true }],
  ["crashing, with a start under way", head({ crashes: FAILED }), [starting], { settled: false, stuck: false }],
  ["up after starts that failed", head({ crashes: FAILED }), [replica()], { settled: true, stuck: false }],
  ["crashing anew", head({ crashes: FAILED, generation: 1 }), [replica()], { outdated: 1, stuck: true }],
  ["with a problem", head({ problem: "no runner" }), [], { stuck: true }],
])("progressOf() of one that is %s", (_what, known, replicas, expected) => {
  expect(progressOf(known, replicas)).toMatchObject(expected);
});
