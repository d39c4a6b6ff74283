/**
 * What of a shard is under way and who may start next, in memory; the tables say the same and it is loaded from them.
 *
 * Executions wait in lanes: an operation is one, and with `concurrency` each value of its key is one. Lanes take turns, so
 * that a long one holds up no other; within a lane the order is that of acceptance.
 */
import type { Head, Tail } from "./messages.ts";

export type Running = {
  seq: number;
  id: string;
  operation: string;
  lane: string;
  attempt: number;
  head: Head;
  tail: Tail;
  /** Its runner must have been heard of by then. */
  leasedUntil: number;
};

/** Attempts that only wait for others: they cost a little memory each. */
const WAITS_MAX = 2_000;

export class Queue {
  readonly running = new Map<string, Running>();
  /** Executions that only wait for a place. */
  ready = 0;
  readonly #byLane = new Map<string, number>();
  /** Lanes in which somebody is ready, in the order of their turns. */
  readonly #turns = new Set<string>();
  /** Lanes in which somebody is ready, but all places are taken. */
  readonly #full = new Set<string>();
  readonly #capacity: number;
  /** Those under way that only wait for others. */
  #waits = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Places for attempts that do something. */
  get room(): number {
    return this.#capacity - (this.running.size - this.#waits);
  }

  get lanes(): number {
    return this.#turns.size;
  }

  /** Whether one more may start now without passing anybody by. */
  mayStart(lane: string, head: Head): boolean {
    return this.room > 0 && !this.#turns.has(lane) && !this.#full.has(lane) && this.hasPlace(lane, head);
  }

  hasPlace(lane: string, { limit, waits }: Head): boolean {
    if (waits === true && this.#waits >= WAITS_MAX) return false;
    return limit === null || (this.#byLane.get(lane) ?? 0) < limit;
  }

  /** Somebody in the lane is ready: it takes part in the turns. */
  wait(lane: string): void {
    this.#turns.add(lane);
  }

  /** The lane whose turn it is. It takes part again after wait(). */
  takeTurn(): string | undefined {
    const [lane] = this.#turns;
    if (lane !== undefined) this.#turns.delete(lane);
    return lane;
  }

  /** The lane has no place: it takes part in the turns when somebody in it ends. */
  park(lane: string): void {
    this.#full.add(lane);
  }

  start(running: Running): void {
    this.running.set(running.id, running);
    if (running.head.waits === true) this.#waits += 1;
    this.#byLane.set(running.lane, (this.#byLane.get(running.lane) ?? 0) + 1);
  }

  /** Its place is free, for whoever waits for it. */
  end(running: Running): void {
    if (!this.running.delete(running.id)) return;
    if (running.head.waits === true) this.#waits -= 1;
    const left = (this.#byLane.get(running.lane) ?? 1) - 1;
    if (left === 0) this.#byLane.delete(running.lane);
    else this.#byLane.set(running.lane, left);
    if (this.#full.delete(running.lane)) this.wait(running.lane);
  }
}
