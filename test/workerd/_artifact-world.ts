/** What the tests of artifacts start from: a world with its shards, its edge, and hands to drive and to look. */
import { env } from "cloudflare:workers";
import { newExecutionId } from "../../src/core/ids.ts";
import { ShardedArtifacts } from "../../src/executions/artifacts/artifacts.ts";
import {
  mortalBucket,
  mortalStub,
  setAlarm,
  SHARDS,
  worldsByName,
  type TestBindings,
  type World,
} from "./artifact-shard.ts";

export const bindings = env as unknown as TestBindings;
export const START = Date.UTC(2026, 0, 1);
export const HOUR = 60 * 60_000;
export const DAY = 24 * HOUR;

/** How a crash comes: before the n-th effect has happened, or after, with its answer lost. */
export type Crash = { at: number; when: "before" | "after" };

export class TestWorld implements World {
  readonly name = crypto.randomUUID();
  now = START;
  executions = new Map<string, { operation: string }>();
  outputs: World["outputs"] = [];
  payloads = new Set<string>();
  readonly alarms = new Map<number, number>();
  readonly effects: string[] = [];
  #crash: Crash | undefined;
  #crashed = false;
  /** Fails each effect it holds for, for as long as it is there. */
  failing: ((what: string) => boolean) | undefined;
  readonly artifacts: ShardedArtifacts;

  constructor() {
    worldsByName().set(this.name, this);
    this.artifacts = new ShardedArtifacts({
      shard: (shard) => mortalStub(this.stub(shard), this, "edge"),
      shards: SHARDS,
      bucket: mortalBucket(bindings.ARTIFACTS, this),
      outputOf: (id) => Promise.resolve(this.outputs.find(({ execution_id }) => execution_id === id)?.text),
      now: () => this.now,
    });
  }

  stub(shard: number): ReturnType<TestBindings["SHARDS"]["getByName"]> {
    return bindings.SHARDS.getByName(`${this.name}/${shard}`);
  }

  execution(shard: number, operation = "report"): string {
    const id = newExecutionId(shard, this.now);
    this.executions.set(id, { operation });
    return id;
  }

  put(execution: string, bytes: string | Uint8Array<ArrayBuffer>, name = "file"): ReturnType<ShardedArtifacts["put"]> {
    return this.artifacts.put(execution, {
      name,
      contentType: "text/plain",
      body: new Blob([bytes]).stream() as ReadableStream<Uint8Array>,
    });
  }

  async text(id: string): Promise<string | undefined> {
    const read = await this.artifacts.read(id);
    return read === undefined ? undefined : new Response(read.body).text();
  }

  crashAt(crash: Crash): void {
    this.#crash = { ...crash };
    this.#crashed = false;
  }

  /** Goes on after a crash, if there was one: that it answers. */
  restart(): boolean {
    const crashed = this.#crashed;
    this.#crash = undefined;
    this.#crashed = false;
    return crashed;
  }

  /** As if the shards had been lost too: alarms are set from what is stored. */
  async restartShards(): Promise<void> {
    this.alarms.clear();
    for (let shard = 0; shard < SHARDS; shard++) setAlarm(this, shard, await this.stub(shard).nextDue());
  }

  async effect<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#crashed) throw new Error(`dead: ${what}`);
    if (this.failing?.(what) === true) throw new Error(`failing: ${what}`);
    this.effects.push(what);
    if (this.#crash === undefined || this.#crash.at-- > 0) return work();
    if (this.#crash.when === "before") {
      this.#crashed = true;
      throw new Error(`crash before ${what}`);
    }
    await work();
    this.#crashed = true;
    throw new Error(`crash after ${what}`);
  }

  /** Rings each alarm that is set to a time before `until`. */
  async sweepUntil(until: number): Promise<void> {
    for (let calls = 0; calls < 10_000; calls++) {
      const [next] = [...this.alarms].toSorted(([, a], [, b]) => a - b);
      if (next === undefined || next[1] > until) {
        this.now = until;
        return;
      }
      const [shard, at] = next;
      this.now = Math.max(this.now, at);
      this.alarms.delete(shard);
      setAlarm(this, shard, await this.stub(shard).sweep());
    }
    throw new Error("the sweeps never come to rest");
  }

  async tables(): Promise<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (let shard = 0; shard < SHARDS; shard++) {
      for (const [table, rows] of Object.entries(await this.stub(shard).tables())) {
        sums[table] = (sums[table] ?? 0) + rows;
      }
    }
    return sums;
  }
}

/** Everything in the store, past every failure. */
export async function storedKeys(): Promise<string[]> {
  return (await bindings.ARTIFACTS.list()).objects.map(({ key }) => key);
}

export async function emptyStore(): Promise<void> {
  await bindings.ARTIFACTS.delete(await storedKeys());
}
