/**
 * Whether a replica is worth asking, as the requests of this isolate have found it. Pure but for what it remembers; the clock is
 * handed in.
 *
 *     closed ──(5 failures in a row, more than half of 20 in 10 s, or nobody there)──► open ──(1 s, doubling to 30 s)──► trial
 *        ▲───────────────────────────── answered ─────────────────────────────────────────────────────────────────────┘ │
 *                                                                 open ◄──────────────── failed ────────────────────────┘
 */
import type { Left } from "../adapters/service/port.ts";

const IN_A_ROW = 5;
const AT_LEAST = 20;
const WINDOW_S = 10;
const FIRST_MS = 1_000;
const MOST_MS = 30_000;
/** A trial that nobody hears of again is over then. */
const TRIAL_MS = 30_000;

export type CircuitState = "closed" | "trial" | "open";

export class Circuit {
  #row = 0;
  /** By second. */
  #window: { second: number; total: number; failed: number }[] = [];
  #open: { until: number; reason: string } | undefined;
  #openMs = FIRST_MS;
  #trialUntil = 0;

  /** `trial`: one request may try it. */
  state(now: number): CircuitState {
    if (this.#open === undefined) return "closed";
    return now >= this.#open.until && now >= this.#trialUntil ? "trial" : "open";
  }

  /** Why it is open; undefined: it is not. */
  get reason(): string | undefined {
    return this.#open?.reason;
  }

  /** When it may be tried again: the sooner, the less bad. */
  get openUntil(): number {
    return this.#open?.until ?? 0;
  }

  /** A request begins. Answers whether it is more than one of many: its end decides whether the circuit closes. */
  begin(now: number): boolean {
    if (this.#open === undefined) return false;
    if (this.state(now) === "trial") this.#trialUntil = now + TRIAL_MS;
    return true;
  }

  /** It has ended. Answers whether that has opened the circuit. */
  end(how: Left, { now, decides }: { now: number; decides: boolean }): boolean {
    if (this.#open !== undefined) {
      // Those that were under way when it opened say what is known already.
      if (decides) this.#decide(how, now);
      return false;
    }
    if (how === "cancelled") return false;
    this.#row = how === "answered" ? 0 : this.#row + 1;
    this.#count(how !== "answered", now);
    const reason = how === "not_sent" ? "nobody takes connections there" : this.#tooMany();
    if (reason === undefined) return false;
    this.#openFor(reason, now);
    return true;
  }

  #decide(how: Left, now: number): void {
    if (how === "answered") {
      this.#open = undefined;
      this.#openMs = FIRST_MS;
    } else if (how !== "cancelled" && now >= this.openUntil) {
      this.#openFor(how === "not_sent" ? "nobody takes connections there" : (this.reason ?? ""), now);
    }
    this.#trialUntil = 0;
  }

  #openFor(reason: string, now: number): void {
    this.#open = { until: now + this.#openMs, reason };
    this.#openMs = Math.min(MOST_MS, this.#openMs * 2);
    this.#row = 0;
    this.#window = [];
  }

  #count(isFailure: boolean, now: number): void {
    const second = Math.floor(now / 1_000);
    const last = this.#window.at(-1);
    const current = last?.second === second ? last : { second, total: 0, failed: 0 };
    if (current !== last) {
      this.#window = this.#window.filter((each) => each.second > second - WINDOW_S && each.second <= second);
      this.#window.push(current);
    }
    current.total += 1;
    if (isFailure) current.failed += 1;
  }

  #tooMany(): string | undefined {
    if (this.#row >= IN_A_ROW) return `${this.#row} requests in a row have failed`;
    const total = this.#window.reduce((sum, each) => sum + each.total, 0);
    const failed = this.#window.reduce((sum, each) => sum + each.failed, 0);
    return total >= AT_LEAST && failed * 2 > total ? `${failed} of ${total} requests have failed` : undefined;
  }
}
