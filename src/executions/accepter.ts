/**
 * Hands calls to the shards. Calls of one isolate that come while a message is on its way go together with the next, so
 * that many share a transaction and a write to disk; none is acknowledged before its own is written.
 *
 * Each message is sent in the context of one request, its leader, and kept alive beyond it; the others wait for that.
 */
import { SwitchyardError } from "../core/errors.ts";
import { within } from "../core/within.ts";
import type { ExecutionShard } from "./execution-shard.ts";
import { nameOfShard, SHARDS } from "./execution-shard.ts";
import type { Accept, AcceptReply } from "./messages.ts";

export type ExecutionNamespace = DurableObjectNamespace<ExecutionShard>;

/** Of one message. Characters of JSON text, of which one is at least a byte. */
const MAX_CHARS = 4 * 1024 * 1024;
const MAX_CALLS = 500;
/** How long a follower waits for its leader. A message takes milliseconds. */
const PATIENCE_MS = 20_000;

/**
 * A leader waits this long for each caller that is about, so that those of a crowd travel together and one alone does not
 * wait at all. Milliseconds.
 */
const GATHER_MS_EACH = 0.1;
const GATHER_MAX_MS = 4;

type Batch = { items: string[]; chars: number; sent: Promise<AcceptReply[]> };

export class Accepter {
  readonly #namespace: ExecutionNamespace;
  readonly #background: (work: Promise<unknown>) => void;
  readonly #busy: () => number;
  readonly #open = new Map<number, Batch>();
  readonly #onTheWay = new Map<number, Promise<unknown>>();
  /** Where executions go that are tied to no shard. Changes with each message, so that the shards fill evenly. */
  shard = crypto.getRandomValues(new Uint8Array(1))[0]! % SHARDS;

  #underWay = 0;

  constructor(ports: {
    namespace: ExecutionNamespace;
    background: (work: Promise<unknown>) => void;
    /** How many callers wait for something that this isolate has accepted. */
    waiting: () => number;
  }) {
    this.#namespace = ports.namespace;
    this.#background = ports.background;
    this.#busy = () => this.#underWay + ports.waiting();
  }

  /** Resolves when it is durable. Throws state_unavailable when that is not known. */
  async accept(shard: number, item: Accept): Promise<AcceptReply> {
    const text = JSON.stringify(item);
    this.#underWay += 1;
    let batch = this.#open.get(shard);
    if (batch === undefined || batch.items.length >= MAX_CALLS || batch.chars + text.length > MAX_CHARS) {
      const opened: Batch = { items: [], chars: 0, sent: Promise.resolve([]) };
      batch = opened;
      this.#open.set(shard, opened);
      opened.sent = this.#lead(shard, opened);
      this.#background(opened.sent.catch(() => undefined));
    }
    const place = batch.items.push(text) - 1;
    batch.chars += text.length;
    let failure: unknown = `no answer within ${PATIENCE_MS} ms`;
    try {
      const replies = await within(PATIENCE_MS, batch.sent);
      const reply = replies?.value[place];
      if (replies !== undefined && reply === undefined)
        throw new TypeError("the shard answered fewer calls than it was sent");
      if (reply !== undefined) return reply;
    } catch (error) {
      failure = error;
    } finally {
      this.#underWay -= 1;
    }
    throw new SwitchyardError(
      "state_unavailable",
      `Cannot accept a call of "${item.operation}": its execution must be written first; that failed: ${reasonOf(failure)}`,
      { cause: failure },
    );
  }

  async #lead(shard: number, batch: Batch): Promise<AcceptReply[]> {
    // Whoever comes meanwhile joins. The one before belongs to another request: never wait for it without an end.
    const before = this.#onTheWay.get(shard);
    const gatherMs = Math.min(GATHER_MAX_MS, Math.floor(this.#busy() * GATHER_MS_EACH));
    if (gatherMs > 0) await scheduler.wait(gatherMs);
    else await null;
    if (before !== undefined) await within(1_000, before);
    if (this.#open.get(shard) === batch) this.#open.delete(shard);
    if (this.shard === shard) this.shard = (shard + 1) % SHARDS;
    const sent = this.#send(shard, batch);
    const settled = sent.then(
      () => undefined,
      () => undefined,
    );
    this.#onTheWay.set(shard, settled);
    try {
      return await sent;
    } finally {
      if (this.#onTheWay.get(shard) === settled) this.#onTheWay.delete(shard);
    }
  }

  async #send(shard: number, batch: Batch): Promise<AcceptReply[]> {
    const stub = this.#namespace.getByName(nameOfShard(shard));
    return JSON.parse(await stub.accept(`[${batch.items.join(",")}]`)) as AcceptReply[];
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
