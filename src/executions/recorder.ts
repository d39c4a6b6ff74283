/**
 * Gathers the records of finished synchronous calls and writes them off the way of the call: one message to one shard
 * for all that finished within FLUSH_MS. A machine that is lost takes at most the unwritten ones with it; a shard
 * that fails is tried again with the next flush, and records over MAX_WAITING are dropped, counted and logged.
 */
import type { ExecutionRecord } from "../model/outcome.ts";
import { nameOfShard, type ExecutionShard } from "./execution-shard.ts";

export const SHARDS = 16;
const FLUSH_MS = 250;
const MAX_BATCH = 1_000;
const MAX_WAITING = 20_000;

export type ExecutionNamespace = DurableObjectNamespace<ExecutionShard>;

export class Recorder {
  readonly #namespace: ExecutionNamespace;
  readonly #background: (work: Promise<void>) => void;
  #waiting: ExecutionRecord[] = [];
  #flushing = false;
  /** Changes with every flush, so that the shards fill evenly while one flush stays one message. */
  shard = crypto.getRandomValues(new Uint8Array(1))[0]! % SHARDS;

  /** `background` keeps the work alive after the answer is sent (`waitUntil`). */
  constructor(namespace: ExecutionNamespace, background: (work: Promise<void>) => void) {
    this.#namespace = namespace;
    this.#background = background;
  }

  add(record: ExecutionRecord): void {
    if (this.#waiting.length >= MAX_WAITING) {
      console.error(JSON.stringify({ level: "error", message: "execution record dropped", id: record.id }));
      return;
    }
    this.#waiting.push(record);
    if (this.#flushing) return;
    this.#flushing = true;
    this.#background(this.#flush());
  }

  async find(id: string, shard: number): Promise<ExecutionRecord | undefined> {
    return this.#waiting.find((record) => record.id === id) ?? (await this.#stub(shard).find(id));
  }

  async #flush(): Promise<void> {
    await scheduler.wait(FLUSH_MS);
    const batch = this.#waiting.slice(0, MAX_BATCH);
    try {
      this.shard = (this.shard + 1) % SHARDS;
      for (const [shard, records] of Map.groupBy(batch, (record) => Number.parseInt(record.id.slice(3, 5), 16))) {
        await this.#stub(shard).record(JSON.stringify(records));
      }
      this.#waiting = this.#waiting.slice(batch.length);
    } catch (error) {
      console.error(JSON.stringify({ level: "error", message: `cannot write execution records: ${String(error)}` }));
    }
    this.#flushing = false;
    if (this.#waiting.length > 0) {
      this.#flushing = true;
      this.#background(this.#flush());
    }
  }

  #stub(shard: number): DurableObjectStub<ExecutionShard> {
    return this.#namespace.getByName(nameOfShard(shard));
  }
}
