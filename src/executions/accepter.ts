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
/** Two groups under way are better than one twice as large: the executor works on the one, the edge on the other. */
const MAX_CALLS = 25;
/** How long a leader waits for the shard. A message takes milliseconds. */
const PATIENCE_MS = 20_000;

/** A leader waits for company as long as somebody joins every millisecond, and no longer than this. */
const GATHER_MAX_MS = 10;

const STAY_MS = 50;
/** So many calls waiting to be accepted are a crowd. */
const CROWD = 16;
const GIVE_WAY_MAX_MS = 500;

type Batch = {
  calls: { text: string; /** Told unless it was simply accepted. */ other: () => void }[];
  chars: number;
  sent: Promise<AcceptReply[]>;
};

export type Accepting = {
  /** Resolves when the answer is anything but `accepted`, and else never: who waits for the end need not wake for this. */
  notAccepted: Promise<void>;
  /** Resolves when it is durable. Throws state_unavailable when that is not known. */
  reply(): Promise<AcceptReply>;
};

export class Accepter {
  readonly #namespace: ExecutionNamespace;
  readonly #background: (work: Promise<unknown>) => void;
  readonly #busy: () => number;
  readonly #open = new Map<number, Batch>();
  readonly #onTheWay = new Map<number, Promise<unknown>>();
  #shard = crypto.getRandomValues(new Uint8Array(1))[0]! % SHARDS;
  #shardSince = 0;
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

  /**
   * Where executions go now that are tied to no shard. The same for a moment, so that what has time can start together; the
   * next when this one is busy, so that messages do not wait for each other; each in turn, so that all fill evenly.
   */
  get shard(): number {
    const open = this.#open.get(this.#shard);
    const busy = open === undefined ? this.#onTheWay.has(this.#shard) : open.calls.length >= MAX_CALLS;
    const now = Date.now();
    if (busy || now - this.#shardSince > STAY_MS) {
      this.#shard = (this.#shard + 1) % SHARDS;
      this.#shardSince = now;
    }
    return this.#shard;
  }

  /** Joins the next message to the shard. */
  accept(shard: number, item: Accept): Accepting {
    const text = JSON.stringify(item);
    this.#underWay += 1;
    let batch = this.#open.get(shard);
    if (batch === undefined || batch.calls.length >= MAX_CALLS || batch.chars + text.length > MAX_CHARS) {
      const opened: Batch = { calls: [], chars: 0, sent: Promise.resolve([]) };
      batch = opened;
      this.#open.set(shard, opened);
      opened.sent = this.#lead(shard, opened);
      this.#background(opened.sent.catch(() => undefined));
    }
    const joined = batch;
    const other = Promise.withResolvers<void>();
    const place = joined.calls.push({ text, other: other.resolve }) - 1;
    joined.chars += text.length;
    return {
      notAccepted: other.promise,
      async reply() {
        try {
          // The runtime takes a request for hung that waits for nothing of its own. The timer ends with the request: to
          // clear it would cost as much again.
          const replies = await Promise.race([joined.sent, scheduler.wait(PATIENCE_MS)]);
          const reply = replies?.[place];
          if (reply !== undefined) return reply;
          throw new Error(
            replies === undefined ? `no answer within ${PATIENCE_MS} ms` : "an answer that lacks this call",
          );
        } catch (error) {
          throw new SwitchyardError(
            "state_unavailable",
            `Cannot accept a call of "${item.operation}": its execution must be written first; that failed: ${reasonOf(error)}`,
            { cause: error },
          );
        }
      },
    };
  }

  /** For work that nobody waits for: lets a crowd of accepts go first, though never for long. */
  async giveWay(): Promise<void> {
    for (let ms = 0; this.#underWay > CROWD && ms < GIVE_WAY_MAX_MS; ms += 10) await scheduler.wait(10);
  }

  async #lead(shard: number, batch: Batch): Promise<AcceptReply[]> {
    // Whoever comes meanwhile joins. The one before belongs to another request: never wait for it without an end.
    const before = this.#onTheWay.get(shard);
    // Those of this turn join before the first look.
    await Promise.resolve();
    // As long as others keep coming. Whoever is alone waits for nobody.
    for (let joined = 0, ms = 0; this.#busy() > 1 && batch.calls.length > joined && ms < GATHER_MAX_MS; ms++) {
      joined = batch.calls.length;
      if (joined >= MAX_CALLS) break;
      await scheduler.wait(1);
    }
    if (before !== undefined) await within(1_000, before);
    if (this.#open.get(shard) === batch) this.#open.delete(shard);
    const sent = this.#sendInTime(shard, batch);
    const settled = sent.then(
      () => undefined,
      () => undefined,
    );
    this.#onTheWay.set(shard, settled);
    try {
      const replies = await sent;
      for (const [place, { other }] of batch.calls.entries()) if (replies[place]?.kind !== "accepted") other();
      return replies;
    } catch (error) {
      for (const { other } of batch.calls) other();
      throw error;
    } finally {
      this.#underWay -= batch.calls.length;
      if (this.#onTheWay.get(shard) === settled) this.#onTheWay.delete(shard);
    }
  }

  async #sendInTime(shard: number, batch: Batch): Promise<AcceptReply[]> {
    const stub = this.#namespace.getByName(nameOfShard(shard));
    const answer = await within(PATIENCE_MS, stub.accept(`[${batch.calls.map(({ text }) => text).join(",")}]`));
    if (answer === undefined) throw new Error(`no answer within ${PATIENCE_MS} ms`);
    return JSON.parse(answer.value) as AcceptReply[];
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
