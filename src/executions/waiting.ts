/**
 * Those of this isolate who wait for an execution. A runner in the same isolate tells them at once; where it runs elsewhere
 * the shard is asked, which is slower and never wrong. So the first is only ever a short cut.
 */
import { within } from "../core/within.ts";
import { isFinal } from "../model/execution-states.ts";
import type { ExecutionView } from "../model/execution.ts";
import type { Outcome } from "../model/outcome.ts";

export type Told = { outcome: Outcome };
type Ask = (waitMs: number) => Promise<ExecutionView | undefined>;

/** Of one question to the shard. */
const ASK_MS = 20_000;
const AWAY_MS = 100;

export class Waiting {
  readonly #waiting = new Map<string, Set<(told: Told) => void>>();

  get size(): number {
    return this.#waiting.size;
  }

  ended(id: string, outcome: Outcome): void {
    const waiting = this.#waiting.get(id);
    // A request that was hung up on never comes to take its entry away itself.
    this.#waiting.delete(id);
    for (const tell of waiting ?? []) tell({ outcome });
  }

  /** The short cut alone: undefined when nobody in this isolate tells within `waitMs`, or `unless` comes first. */
  early(id: string, waitMs: number, unless: Promise<void>): Promise<Told | undefined> {
    return this.#listening(id, async (told) => {
      const first = await within(waitMs, Promise.race([told, unless]));
      return first?.value ?? undefined;
    });
  }

  /** undefined: not within `waitMs`, or there is no such execution. `ask` waits at the shard. */
  wait(id: string, waitMs: number, ask: Ask): Promise<Told | { view: ExecutionView } | undefined> {
    return this.#listening(id, async (told) => {
      for (let leftMs = waitMs; ;) {
        const askedAt = Date.now();
        const answer = await Promise.race([told, asked(ask, leftMs)]);
        if (answer !== "again") return answer;
        // However far the clock is put back, it ends.
        leftMs -= Math.max(Date.now() - askedAt, Math.min(leftMs, AWAY_MS));
        if (leftMs <= 0) return undefined;
      }
    });
  }

  async #listening<T>(id: string, work: (told: Promise<Told>) => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<Told>();
    const others = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, others.add(resolve));
    try {
      return await work(promise);
    } finally {
      others.delete(resolve);
      if (others.size === 0 && this.#waiting.get(id) === others) this.#waiting.delete(id);
    }
  }
}

async function asked(ask: Ask, remaining: number): Promise<{ view: ExecutionView } | undefined | "again"> {
  try {
    const view = await ask(Math.min(remaining, ASK_MS));
    return view === undefined ? undefined : isFinal(view.status) ? { view } : "again";
  } catch {
    // The shard is starting again. What waits is kept, so it is worth asking until the time is over.
    await new Promise((resolve) => setTimeout(resolve, Math.min(remaining, AWAY_MS)));
    return "again";
  }
}
