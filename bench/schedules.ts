/**
 * 10,000 schedules that are due in the same minute, on a real `opctl dev`: how long after their due time their executions are
 * accepted, by the executions' own records; none may be missing, and none twice. `npm run bench -- schedules`.
 */
import path from "node:path";
import { INLINE_ADAPTER } from "../src/model/environment.ts";
import type { ExecutionView } from "../src/model/execution.ts";
import { openFile } from "../src/registry/database.node.ts";
import { createRegistry } from "../src/registry/registry.ts";
import { percentile, type Served } from "./_harness.ts";
import { printMusts, type Measured } from "./musts.ts";
import { drained, get, OPERATION, startDurable, type Page } from "./durable/platform.ts";

const MINUTE_MS = 60_000;
const ROWS_AT_ONCE = 500;
const WITHIN_MS = 5_000;
/** Until nothing is accepted any more. */
const GIVE_UP_MS = 60_000;

type Start = { name: string; afterMs: number };

export async function schedulesBench(count = 10_000): Promise<void> {
  printMusts([await measureSchedules(count)]);
}

async function measureSchedules(count: number): Promise<Measured> {
  const first = await startDurable("process");
  await first.stop({ keep: true });
  const due = (Math.floor(Date.now() / MINUTE_MS) + Math.ceil(count / 10_000) + 1) * MINUTE_MS;
  await store(first.state, { count, due });
  const served = await startDurable("process", first.state);
  try {
    if (Date.now() > due - 5_000) throw new Error("Storing the schedules took longer than was left until they are due");
    console.log(`\n${count} schedules stored, due at ${new Date(due).toISOString()}`);
    const starts = await collect(served, { count, due });
    const times = starts.map(({ afterMs }) => afterMs);
    const names = new Set(starts.map(({ name }) => name));
    const last = Math.max(...times);
    const drainMs = await drained(served);
    console.log(`| accepted | p50 | p99 | last | all ended after |\n|---|---|---|---|---|`);
    console.log(
      `| ${starts.length} | ${percentile(times, 0.5)} ms | ${percentile(times, 0.99)} ms | ${last} ms | ${Math.round(drainMs)} ms more |`,
    );
    return {
      measure: `${count} schedules due in one minute, the last accepted after`,
      ours: `${(last / 1000).toFixed(2)} s`,
      beside: `${starts.length} executions of ${names.size} schedules`,
      must: `≤ ${WITHIN_MS / 1000} s, each once`,
      holds: last <= WITHIN_MS && starts.length === count && names.size === count,
    };
  } finally {
    await served.stop();
  }
}

/** Into the registry of a stopped platform, many rows a write. */
async function store(state: string, { count, due }: { count: number; due: number }): Promise<void> {
  const { database, client } = await openFile(path.join(state, "registry.db"));
  const registry = createRegistry({
    database,
    masterKey: Buffer.alloc(32).toString("base64"),
    adapters: [INLINE_ADAPTER],
  });
  const at = new Date(due);
  const cron = `${at.getUTCMinutes()} ${at.getUTCHours()} ${at.getUTCDate()} ${at.getUTCMonth() + 1} *`;
  for (let from = 0; from < count; from += ROWS_AT_ONCE) {
    const length = Math.min(ROWS_AT_ONCE, count - from);
    const names = Array.from({ length }, (_, index) => `schedule_${from + index}`);
    const manifests = names.map((name) => ({ name, operation: OPERATION, cron, input: { input_str: name } }));
    await registry.install(manifests.map((manifest) => ({ kind: "schedule", manifest })));
  }
  client.close();
}

/** What schedules have started since then, once there are `count` or time is up. */
async function collect(served: Served, { count, due }: { count: number; due: number }): Promise<Start[]> {
  await sleep(due - Date.now() + WITHIN_MS);
  for (;;) {
    const starts = await starting(served, due).catch((error: unknown) => {
      // The platform is busy with what is measured: a connection may not outlive that.
      if (Date.now() > due + GIVE_UP_MS) throw error;
      return [];
    });
    if (starts.length >= count || Date.now() > due + GIVE_UP_MS) return starts;
    await sleep(1_000);
  }
}

async function starting(served: Served, due: number): Promise<Start[]> {
  const starts: Start[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const after: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const page: Page<ExecutionView> = await get(served, `/executions?trigger=schedule&limit=1000${after}`);
    for (const { caller, accepted_at: at } of page.items)
      starts.push({ name: caller.id, afterMs: Date.parse(at) - due });
    cursor = page.next_cursor;
  }
  return starts;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(ms, 0));
  });
}
