/**
 * Gathers the records of deliveries and writes them off the way of the call, a message to each log for all within FLUSH_MS.
 * A machine that is lost takes at most the unwritten ones with it; what cannot be written is tried again with the next
 * flush, and what is over MAX_WAITING_BYTES is dropped, counted and logged.
 *
 * Of unverified requests, which cost their sender nothing, so many a minute are recorded for each webhook; the last record
 * of the minute counts the others.
 */
import { log } from "../../core/log.ts";
import { shardOfDeliveryId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import type { NewDelivery } from "../../model/delivery.ts";
import type { Kept, Sent } from "./delivery-messages.ts";
import type { Bytes } from "./schemes/scheme.ts";

/** A log, as this sees it. */
export type LogPort = { record(text: string, bodies: Bytes[], more: string): Promise<unknown> };

export type RecorderOptions = {
  log(shard: number): LogPort;
  /** Keeps the work alive after the answer is sent (`waitUntil`). */
  background(work: Promise<void>): void;
  sleep(ms: number): Promise<unknown>;
  now(): number;
};

const FLUSH_MS = 250;
/** Of one message. Bytes of bodies and records. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const MINUTE_MS = 60_000;
/** A flush that takes so long may have been lost with the request that began it: another begins. */
const LOST_MS = 10_000;

type Waiting = Sent & { body: Bytes; bytes: number };
type Minute = { number: number; recorded: number; lastId: string };

export class DeliveryRecorder {
  readonly #options: RecorderOptions;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #more = new Map<string, number>();
  #dropped = 0;
  #flush: { since: number } | undefined;
  readonly #minutes = new Map<string, Minute>();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  add(delivery: NewDelivery, body: Bytes): void {
    if (!delivery.verified && !this.#hasRoom(delivery)) return this.#schedule();
    const kept = body.subarray(0, delivery.verified ? LIMITS.deliveryBodyBytes : LIMITS.unverifiedBodyBytes);
    const bytes = kept.byteLength + JSON.stringify(delivery.headers).length + 1_000;
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#waitingBytes += bytes;
    // A copy of what is short in a long body, so that the rest is not held with it.
    this.#waiting.push({ delivery, others: 0, body: kept.byteLength === body.byteLength ? body : kept.slice(), bytes });
    this.#schedule();
  }

  /** One that is not in its log yet. */
  unwritten(id: string): Kept | undefined {
    const found = this.#waiting.find(({ delivery }) => delivery.id === id);
    if (found === undefined) return undefined;
    const { delivery, others, body } = found;
    return { head: JSON.stringify(delivery), others, body: body.slice().buffer };
  }

  #hasRoom({ webhook, id, at_ms: at }: NewDelivery): boolean {
    const number = Math.floor(at / MINUTE_MS);
    const minute = this.#minutes.get(webhook);
    if (minute === undefined || minute.number !== number) {
      // Those of minutes that are over are of no use to anybody.
      for (const [name, old] of this.#minutes) if (old.number !== number) this.#minutes.delete(name);
      this.#minutes.set(webhook, { number, recorded: 1, lastId: id });
      return true;
    }
    if (minute.recorded < LIMITS.unverifiedPerMinute) {
      minute.recorded += 1;
      minute.lastId = id;
      return true;
    }
    this.#more.set(minute.lastId, (this.#more.get(minute.lastId) ?? 0) + 1);
    return false;
  }

  #schedule(): void {
    const now = this.#options.now();
    if (this.#flush !== undefined && now - this.#flush.since <= LOST_MS) return;
    const flush = { since: now };
    this.#flush = flush;
    this.#options.background(this.#write(flush));
  }

  async #write(flush: { since: number }): Promise<void> {
    await this.#options.sleep(FLUSH_MS);
    if (this.#dropped > 0) complain(`${this.#dropped} deliveries dropped: too many wait to be written`);
    this.#dropped = 0;
    const batch = this.#nextBatch();
    // A count goes with its record or after it, never before.
    const later = new Set(this.#waiting.slice(batch.length).map(({ delivery }) => delivery.id));
    const more = new Map([...this.#more].filter(([id]) => !later.has(id)));
    this.#more = new Map([...this.#more].filter(([id]) => later.has(id)));
    const shards = new Set([...batch.map(({ delivery }) => delivery.id), ...more.keys()].map(shardOf));
    try {
      for (const shard of shards) {
        const some = batch.filter(({ delivery }) => shardOf(delivery.id) === shard);
        await this.#options.log(shard).record(
          JSON.stringify(some.map(({ delivery, others }): Sent => ({ delivery, others }))),
          some.map(({ body }) => body),
          JSON.stringify([...more].filter(([id]) => shardOf(id) === shard)),
        );
        for (const id of more.keys()) if (shardOf(id) === shard) more.delete(id);
      }
      // By what they are and not by their number: a flush that was taken for lost may have written some of them.
      const written = new Set(batch);
      this.#waiting = this.#waiting.filter((each) => !written.has(each));
      this.#waitingBytes = this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
    } catch (error) {
      // Records that were written all the same are known by their ids; counts are added to those that came meanwhile.
      for (const [id, count] of more) this.#more.set(id, (this.#more.get(id) ?? 0) + count);
      complain(`cannot write deliveries: ${String(error)}`);
    }
    if (this.#flush !== flush) return;
    this.#flush = undefined;
    if (this.#waiting.length > 0 || this.#more.size > 0) this.#schedule();
  }

  #nextBatch(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((each, at) => {
      bytes += each.bytes;
      return at > 0 && bytes > MAX_BATCH_BYTES;
    });
    return end < 0 ? [...this.#waiting] : this.#waiting.slice(0, end);
  }
}

function shardOf(id: string): number {
  return shardOfDeliveryId(id) ?? 0;
}

function complain(message: string): void {
  log("error", message);
}
