/**
 * Gathers the records of finished synchronous calls and writes them off the way of the call: one message to one shard
 * for all that finished within FLUSH_MS. A machine that is lost takes at most the unwritten ones with it; a shard
 * that fails is tried again with the next flush, and records over MAX_WAITING are dropped, counted and logged.
 */
import { log, logError } from "../core/log.ts";
import type { ExecutionView } from "../model/execution.ts";
import type { ExecutionRecord } from "../model/outcome.ts";
import type { ExecutionNamespace } from "./accepter.ts";
import { nameOfShard, SHARDS } from "./execution-shard.ts";
import type { NewRow } from "./_store.ts";
import type { Head } from "./messages.ts";
import type { WantedPort } from "./port.ts";
import { toView } from "./view.ts";

const FLUSH_MS = 250;
const MAX_BATCH = 1_000;
const MAX_WAITING = 20_000;
/** A flush that takes so long may have been lost with the request that began it: another begins. */
const LOST_MS = 10_000;

export class Recorder {
  readonly #namespace: ExecutionNamespace;
  readonly #background: (work: Promise<void>) => void;
  readonly #wanted: WantedPort;
  #waiting: ExecutionRecord[] = [];
  /** When the flush under way began. */
  #flushing: number | undefined;
  /** Changes with every flush, so that the shards fill evenly while one flush stays one message. */
  shard = crypto.getRandomValues(new Uint8Array(1))[0]! % SHARDS;

  /** `background` keeps the work alive after the answer is sent (`waitUntil`). */
  constructor(ports: { namespace: ExecutionNamespace; background: (work: Promise<void>) => void; wanted: WantedPort }) {
    this.#namespace = ports.namespace;
    this.#background = ports.background;
    this.#wanted = ports.wanted;
  }

  add(record: ExecutionRecord): void {
    if (this.#waiting.length >= MAX_WAITING) {
      const { id, operation, traceparent } = record;
      log("error", "execution record dropped", { execution: id, operation, traceparent });
      return;
    }
    this.#waiting.push(record);
    if (this.#flushing !== undefined && Date.now() - this.#flushing < LOST_MS) return;
    this.#begin();
  }

  /** One that is not in its shard yet. */
  unwritten(id: string): ExecutionView | undefined {
    const record = this.#waiting.find((waiting) => waiting.id === id);
    if (record === undefined) return undefined;
    const row = toRow(record);
    return toView({ ...row, seq: 0, version: 1, head: JSON.stringify(row.head), tail: JSON.stringify(row.tail) });
  }

  async #rows(records: readonly ExecutionRecord[]): Promise<Omit<NewRow, "seq">[]> {
    const rows: Omit<NewRow, "seq">[] = [];
    for (const record of records) {
      const row = toRow(record);
      const wanted = await this.#wanted({ name: record.operation, group: record.group }, record.caller);
      rows.push(wanted === undefined ? row : { ...row, head: { ...row.head, wanted } });
    }
    return rows;
  }

  #begin(): void {
    const begun = Date.now();
    this.#flushing = begun;
    this.#background(this.#flush(begun));
  }

  async #flush(begun: number): Promise<void> {
    await scheduler.wait(FLUSH_MS);
    const batch = this.#waiting.slice(0, MAX_BATCH);
    try {
      this.shard = (this.shard + 1) % SHARDS;
      for (const [shard, records] of Map.groupBy(batch, (record) => Number.parseInt(record.id.slice(3, 5), 16))) {
        await this.#namespace.getByName(nameOfShard(shard)).record(JSON.stringify(await this.#rows(records)));
      }
      // One that was taken for lost may have written them meanwhile; twice is as once.
      const written = new Set(batch);
      this.#waiting = this.#waiting.filter((record) => !written.has(record));
    } catch (error) {
      logError("cannot write execution records", error);
    }
    if (this.#flushing !== begun) return;
    this.#flushing = undefined;
    if (this.#waiting.length > 0) this.#begin();
  }
}

function toRow(record: ExecutionRecord): Omit<NewRow, "seq"> {
  const { id, operation, status, caller, environment, passed_over, error, started_at, finished_at } = record;
  const passed = passed_over === undefined ? {} : { passed_over };
  const end = record.status === "succeeded" ? "succeeded" : "failed";
  const head: Omit<Head, "timeout_ms" | "retry" | "limit" | "batch"> = {
    mode: "sync",
    revision: record.revision,
    digest: record.digest,
    caller,
    principal: record.principal,
    traceparent: record.traceparent,
    depth: record.depth,
    accepted_at: started_at,
    retention_ms: record.retention_ms,
    expires_at: null,
    replay_of: null,
  };
  return {
    id,
    operation,
    status,
    head,
    lane: "",
    ready: 0,
    attempt: 1,
    trigger: caller.type,
    parent: caller.type === "execution" && caller.id.startsWith("ex_") ? caller.id : null,
    due: finished_at + record.retention_ms,
    tail: {
      attempts: [{ attempt: 1, environment, ...passed, started_at, finished_at, end, error }],
      finished_at,
      ...(error === null ? {} : { error }),
    },
  };
}
