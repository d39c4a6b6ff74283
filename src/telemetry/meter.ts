/**
 * What this isolate has counted since it last told: growth by series, in memory. Counting is a look-up and an addition; who
 * carries it on is told once, at the first count after a take().
 */
import { BUCKETS, cellsOf, OTHER, type Delta, type Instrument } from "./instruments.ts";

/** Series of one take(); what is beyond them is counted under other names. */
const MAX_SERIES = 5_000;

export type Ended = { operation: string; environment: string | null; code: string | null; ms: number };

export class Meter {
  #series = new Map<string, Delta>();
  readonly #begun: () => void;

  /** `begun`: there is something to take. */
  constructor(begun: () => void) {
    this.#begun = begun;
  }

  /** A synchronous call that ran. */
  call({ operation, environment, code, ms }: Ended): void {
    const place = environment ?? "";
    this.count("calls", operation, place, code === null ? "succeeded" : "failed", code ?? "");
    this.#observe("call_duration", [operation, place], ms);
    if (code !== null) this.count("errors", code);
  }

  /** `outcome`: how an attempt ends. */
  attempt({ operation, environment, code, ms }: Ended, { outcome, number }: { outcome: string; number: number }): void {
    const place = environment ?? "";
    this.count("attempts", operation, place, outcome, code ?? "");
    this.#observe("attempt_duration", [operation, place], ms);
    if (number > 1) this.count("retries", operation);
    if (code !== null) this.count("errors", code);
  }

  /** Of any counter, with its labels in the table's order. */
  count(instrument: Instrument, ...labels: string[]): void {
    this.add(instrument, 1, ...labels);
  }

  add(instrument: Instrument, by: number, ...labels: string[]): void {
    const { 2: cells } = this.#of(instrument, labels);
    cells[0] = (cells[0] ?? 0) + by;
  }

  /** Whether there is anything to take. */
  get isEmpty(): boolean {
    return this.#series.size === 0;
  }

  /** What was counted since the last time. */
  take(): Delta[] {
    const taken = [...this.#series.values()];
    this.#series = new Map();
    return taken;
  }

  #observe(instrument: Instrument, labels: string[], ms: number): void {
    const { 2: cells } = this.#of(instrument, labels);
    const seconds = ms / 1_000;
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] ?? 0)) bucket += 1;
    cells[bucket] = (cells[bucket] ?? 0) + 1;
    cells[BUCKETS.length + 1] = (cells[BUCKETS.length + 1] ?? 0) + seconds;
  }

  #of(instrument: Instrument, labels: string[]): Delta {
    const key = `${instrument}\n${labels.join("\n")}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size === 0) this.#begun();
    if (this.#series.size >= MAX_SERIES && labels[0] !== OTHER) {
      return this.#of(
        instrument,
        labels.map((label, place) => (place < 2 ? OTHER : label)),
      );
    }
    const fresh: Delta = [instrument, labels, Array.from({ length: cellsOf(instrument) }, () => 0)];
    this.#series.set(key, fresh);
    return fresh;
  }
}
