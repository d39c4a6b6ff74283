/** What is asked for live when /metrics is read: each source for a bounded time, and one that does not answer is named. */
import { within } from "../core/within.ts";
import type { PoolStatus } from "../model/runner-protocol.ts";
import type { Gauge } from "../telemetry/prometheus.ts";

/** What waits in a shard of the executions, and what is under way there. */
export type ShardLoad = { ready: number; running: number };

export type GaugePorts = {
  shards: readonly (() => Promise<ShardLoad>)[];
  /** Names of environments that runners connect to. */
  pools: () => Promise<readonly string[]>;
  pool: (environment: string) => Promise<PoolStatus>;
  /** Since this isolate last knew the registry's state. Milliseconds; undefined: it has not looked yet. */
  registryAgeMs: () => number | undefined;
};

const ANSWER_MS = 500;
/** Pools that are asked; each costs a message. */
const MAX_POOLS = 100;

type Sample = Gauge["samples"][number];

export async function readGauges(ports: GaugePorts): Promise<Gauge[]> {
  const ready: Sample[] = [];
  const running: Sample[] = [];
  const slots: Sample[] = [];
  const busy: Sample[] = [];
  const queued: Sample[] = [];
  const unanswered = { shard: 0, pool: 0, registry: 0 };
  const ask = async <T>(source: keyof typeof unanswered, asked: () => Promise<T>): Promise<T | undefined> => {
    const answer = await within(ANSWER_MS, asked()).catch(() => undefined);
    if (answer === undefined) unanswered[source] += 1;
    return answer?.value;
  };
  const askShard = async (load: () => Promise<ShardLoad>, shard: number): Promise<void> => {
    const answer = await ask("shard", load);
    if (answer === undefined) return;
    const labels = { shard: String(shard) };
    ready[shard] = { labels, value: answer.ready };
    running[shard] = { labels, value: answer.running };
  };
  const askPool = async (environment: string, place: number): Promise<void> => {
    const status = await ask("pool", () => ports.pool(environment));
    if (status === undefined) return;
    const labels = { environment };
    const connected = status.runners.filter(({ state }) => state === "connected");
    slots[place] = { labels, value: connected.reduce((sum, one) => sum + one.slots, 0) };
    busy[place] = { labels, value: status.runners.reduce((sum, one) => sum + one.in_flight, 0) };
    queued[place] = { labels, value: status.queued };
  };
  const askPools = async (): Promise<void> => {
    const names = (await ask("registry", () => ports.pools())) ?? [];
    await Promise.all(names.slice(0, MAX_POOLS).map(askPool));
  };
  await Promise.all([...ports.shards.map(askShard), askPools()]);
  const ageMs = ports.registryAgeMs();
  const age: Sample[] = ageMs === undefined ? [] : [{ labels: {}, value: ageMs / 1_000 }];
  const silent = Object.entries(unanswered).map(([source, value]): Sample => ({ labels: { source }, value }));
  return [
    gauge("switchyard_executions_ready", "Executions that wait only for a place, by shard.", ready),
    gauge("switchyard_executions_running", "Executions with an attempt under way, by shard.", running),
    gauge("switchyard_runner_slots", "Calls that the connected runners of an environment take at once.", slots),
    gauge("switchyard_runner_slots_busy", "Calls that runners of an environment have now.", busy),
    gauge("switchyard_runner_queue", "Calls that wait for a runner of an environment.", queued),
    gauge(
      "switchyard_registry_age_seconds",
      "Since the isolate that answers last knew the state of the registry.",
      age,
    ),
    gauge(
      "switchyard_scrape_unanswered",
      "Sources that did not answer this scrape in time: their samples are missing.",
      silent,
    ),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Gauge {
  // Those that did not answer leave holes.
  return { name, help, samples: samples.filter((sample) => sample !== undefined) };
}
