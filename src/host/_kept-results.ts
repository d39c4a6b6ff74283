/**
 * Results that a runner has sent and nobody has acknowledged. Those of orders that take no slot are apart: there may be many
 * at once and none of them is worth keeping long, so they never push out the others.
 */
import { KEPT_BESIDE_MS, KEPT_MS, KEPT_RESULTS, MOST_JOBS, type RunnerJob } from "../model/runner-protocol.ts";

type Kept = RunnerJob & { reply: string; at: number };

export class KeptResults {
  readonly #results = new Map<string, Kept>();
  readonly #beside = new Map<string, Kept>();

  keep(job: RunnerJob, reply: string, now: number): void {
    (job.beside === true ? this.#beside : this.#results).set(job.fence, { ...job, reply, at: now });
    if (this.#results.size > KEPT_RESULTS || this.#beside.size > MOST_JOBS - KEPT_RESULTS) this.forgetOld(now);
  }

  get(fence: string): Kept | undefined {
    return this.#results.get(fence) ?? this.#beside.get(fence);
  }

  delete(fence: string): void {
    this.#results.delete(fence);
    this.#beside.delete(fence);
  }

  jobs(now: number): RunnerJob[] {
    this.forgetOld(now);
    return [...this.#results.values(), ...this.#beside.values()];
  }

  /** What nobody has taken in time, and the oldest beyond the bound. */
  forgetOld(now: number): void {
    drop(this.#results, { most: KEPT_RESULTS, ms: KEPT_MS, now });
    drop(this.#beside, { most: MOST_JOBS - KEPT_RESULTS, ms: KEPT_BESIDE_MS, now });
  }
}

function drop(kept: Map<string, Kept>, { most, ms, now }: { most: number; ms: number; now: number }): void {
  for (const [fence, { at }] of kept) {
    if (kept.size <= most && now - at < ms) break;
    kept.delete(fence);
  }
}
