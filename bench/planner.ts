/**
 * The planner in numbers, beside mahler (npm) in the same process, by turns: `npm run bench -- planner`. mahler is installed
 * apart, for measuring only: `npm ci --prefix bench/peers`.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { plan } from "../src/planner/index.ts";
import type { Job, Json, Value } from "../src/planner/index.ts";
import { BLOCK_JOBS, COUNTER_JOBS, fleet, SERVICE_JOBS, tower } from "../src/planner/_domains.test-util.ts";
import { replay } from "../src/planner/_replay.test-util.ts";
import { isSame } from "../src/planner/json.ts";
import { median } from "./_harness.ts";
import { ms, printMusts, times, type Measured } from "./musts.ts";

const PEER = path.resolve(import.meta.dirname, "peers/mahler-problems.js");
const ROUNDS = 5;

type World = "counters" | "blocks" | "services";
type Case = { name: string; world: World; jobs: readonly Job[]; state: Json; target: Json; rounds?: number };
type Peer = { solve(world: World, state: Json, target: Json): number | undefined };

const counters = (count: number, value: number): Json => ({
  counters: Object.fromEntries(Array.from({ length: count }, (_, at) => [`c${at}`, value])),
});
const names = "abcdefghijkl".split("");

const CASES: readonly Case[] = [
  { name: "a counter to 900", world: "counters", jobs: COUNTER_JOBS, state: counters(1, 0), target: counters(1, 900) },
  {
    name: "100 counters × 3",
    world: "counters",
    jobs: COUNTER_JOBS,
    state: counters(100, 0),
    target: counters(100, 3),
  },
  {
    name: "12-block tower inversion",
    world: "blocks",
    jobs: BLOCK_JOBS,
    state: { blocks: tower(...names) },
    target: { blocks: tower(...names.toReversed()) },
  },
  {
    name: "Sussman's anomaly",
    world: "blocks",
    jobs: BLOCK_JOBS,
    state: { blocks: { a: "table", b: "table", c: "a" } },
    target: { blocks: tower("c", "b", "a") },
  },
];

export async function planner(): Promise<void> {
  const peer = await loadPeer();
  const rows = CASES.map((each) => beside(each, peer));
  printMusts([...rows, rollingUpdate(peer), ...growth()]);
}

async function loadPeer(): Promise<Peer | undefined> {
  if (existsSync(path.resolve(PEER, "../node_modules/mahler"))) return (await import(pathToFileURL(PEER).href)) as Peer;
  console.log("\nNOT MEASURED: mahler is not installed; `npm ci --prefix bench/peers` installs it");
  return undefined;
}

/** Both have run once before, so that neither is measured while it is compiled. */
function beside({ name, world, jobs, state, target }: Case, peer: Peer | undefined): Measured {
  const ours: number[] = [];
  const theirs: number[] = [];
  const problem = { state, target, jobs };
  for (let round = 0; round <= ROUNDS; round++) {
    const own = timed(() => plan(problem));
    if (round === 0) assertValid(name, problem, own.value);
    else ours.push(own.us);
    if (peer === undefined) continue;
    const other = timed(() => peer.solve(world, state, target));
    if (other.value === undefined) throw new Error(`mahler found no plan for ${name}`);
    if (round > 0) theirs.push(other.us);
  }
  const factor = median(ours) / median(theirs);
  return {
    measure: `${name} (${plan(problem).steps.length} steps)`,
    ours: ms(median(ours)),
    beside: peer === undefined ? "-" : `mahler ${ms(median(theirs))} (${times(factor)})`,
    must: "≤ × 0.5",
    holds: peer === undefined ? undefined : factor <= 0.5,
  };
}

/** mahler needs seconds for this one, so it is asked once. */
function rollingUpdate(peer: Peer | undefined): Measured {
  const problem = { state: fleet(60, "v1"), target: fleet(60, "v2"), jobs: SERVICE_JOBS };
  const runs = Array.from({ length: ROUNDS + 1 }, () => timed(() => plan(problem))).slice(1);
  const [first] = runs;
  if (first === undefined) throw new Error("there must be a run");
  assertValid("60 services", problem, first.value);
  const us = median(runs.map((run) => run.us));
  const other = peer === undefined ? undefined : timed(() => peer.solve("services", problem.state, problem.target));
  return {
    measure: `60 services updated (${first.value.steps.length} steps, makespan ${first.value.makespan})`,
    ours: ms(us),
    beside: other === undefined ? "-" : `mahler ${ms(other.us)}, ${String(other.value)} steps`,
    must: "≤ 0.2 s, makespan ≤ 8",
    holds: us <= 200_000 && first.value.makespan <= 8,
  };
}

function growth(): Measured[] {
  const sizes = [500, 1_000, 2_000, 4_000];
  const rows = sizes.map((size) => {
    const problem = { state: fleet(size, "v1"), target: fleet(size, "v2"), jobs: SERVICE_JOBS };
    return { size, us: median(Array.from({ length: 3 }, () => timed(() => plan(problem)).us)) };
  });
  const least = Math.min(...rows.map(({ size, us }) => us / size));
  return rows.map(({ size, us }) => ({
    measure: `${size.toLocaleString("en")} services updated`,
    ours: ms(us),
    beside: `${(us / size).toFixed(0)} µs a service`,
    must: size === 1_000 ? "≤ 5 s" : `≤ 1.5 × ${least.toFixed(0)} µs`,
    holds: size === 1_000 ? us <= 5_000_000 : us / size <= 1.5 * least,
  }));
}

function assertValid(
  name: string,
  problem: { state: Json; target: Json; jobs: readonly Job[] },
  made: ReturnType<typeof plan>,
): void {
  const reached: Value = replay(problem, made);
  if (!made.reached || !isSame(reached, made.state))
    throw new Error(`the plan for ${name} does not lead where it says`);
}

function timed<T>(work: () => T): { value: T; us: number } {
  const startedAt = performance.now();
  const value = work();
  return { value, us: (performance.now() - startedAt) * 1000 };
}
