/**
 * What this isolate has lately seen of environments: one that did not answer is tried after those that did, and one that
 * said when to come back is left alone until then. Only memory: a wrong guess costs an order of tries, never a call.
 */
import type { EnvironmentHandle } from "../model/environment.ts";
import type { Outcome } from "../model/outcome.ts";

const FIRST_MS = 500;
const MOST_MS = 30_000;
const KEPT = 1_000;

type Seen = { failures: number; doubtedUntil: number; closedUntil: number };

export class Health {
  readonly #seen = new Map<string, Seen>();

  /** Those in doubt last; else the order stays. */
  order<Candidate extends { environment: EnvironmentHandle }>(candidates: Candidate[], now: number): Candidate[] {
    if (this.#seen.size === 0 || candidates.length < 2) return candidates;
    const doubted = (candidate: Candidate) => (this.#seen.get(keyOf(candidate.environment))?.doubtedUntil ?? 0) > now;
    return candidates.toSorted((a, b) => Number(doubted(a)) - Number(doubted(b)));
  }

  /** Milliseconds until it wants to be asked again; 0: now. */
  closedFor(environment: EnvironmentHandle, now: number): number {
    if (this.#seen.size === 0) return 0;
    return Math.max(0, (this.#seen.get(keyOf(environment))?.closedUntil ?? 0) - now);
  }

  note(environment: EnvironmentHandle, outcome: Outcome, now: number): void {
    if (outcome.ok || outcome.unstarted !== true) {
      if (this.#seen.size > 0) this.#seen.delete(keyOf(environment));
      return;
    }
    // What the caller would have to mend says nothing of the place.
    if (outcome.retry.kind === "never") return;
    const key = keyOf(environment);
    const failures = (this.#seen.get(key)?.failures ?? 0) + 1;
    const doubtMs = Math.min(MOST_MS, FIRST_MS * 2 ** (failures - 1));
    const closedMs = outcome.retry.kind === "after" ? Math.min(MOST_MS, outcome.retry.after_ms) : 0;
    if (this.#seen.size >= KEPT) this.#seen.clear();
    this.#seen.set(key, { failures, doubtedUntil: now + Math.max(doubtMs, closedMs), closedUntil: now + closedMs });
  }
}

/** An edited row is another place: what was seen of it before does not count. */
function keyOf({ name, digest }: EnvironmentHandle): string {
  return `${name} ${digest}`;
}
