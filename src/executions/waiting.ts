/**
 * Those of this isolate who wait for an execution. A runner in the same isolate tells them at once; where it runs elsewhere
 * the shard is asked, which is slower and never wrong. So the first is only ever a short cut.
 */
import { within } from "../core/within.ts";
import type { ExecutionStatus } from "../model/execution-states.ts";
import { isFinal } from "../model/execution-states.ts";
import type { ExecutionView } from "../model/execution.ts";
import type { Outcome } from "../model/outcome.ts";

export type Ended = { outcome: Outcome } | { view: ExecutionView };

/** How long to wait for the short cut alone. Most executions that somebody waits for take less. */
const SHORT_CUT_MS = 200;
/** Of one question to the shard. */
const ASK_MS = 20_000;
const AWAY_MS = 100;

export class Waiting {
  readonly #waiting = new Map<string, Set<(ended: Ended) => void>>();

  get size(): number {
    return this.#waiting.size;
  }

  ended(id: string, _status: ExecutionStatus, outcome: Outcome): void {
    for (const tell of this.#waiting.get(id) ?? []) tell({ outcome });
  }

  /** undefined: not within `waitMs`, or there is no such execution. `ask` waits at the shard. */
  async wait(
    id: string,
    waitMs: number,
    ask: (waitMs: number) => Promise<ExecutionView | undefined>,
  ): Promise<Ended | undefined> {
    const giveUpAt = Date.now() + waitMs;
    let tell: (ended: Ended) => void = () => undefined;
    const told = new Promise<Ended>((resolve) => (tell = resolve));
    const others = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, others.add(tell));
    try {
      const first = await within(Math.min(SHORT_CUT_MS, waitMs), told);
      if (first !== undefined) return first.value;
      for (;;) {
        const remaining = Math.max(0, giveUpAt - Date.now());
        const asked = (async () => {
          try {
            const view = await ask(Math.min(remaining, ASK_MS));
            return view === undefined || isFinal(view.status) ? { view } : { view: undefined, again: true };
          } catch {
            // The shard is starting again. What waits is kept, so it is worth asking until the time is over.
            await scheduler.wait(Math.min(remaining, AWAY_MS));
            return { view: undefined, again: true };
          }
        })();
        const answer = await Promise.race([told, asked]);
        if ("outcome" in answer) return answer;
        if (answer.view !== undefined) return { view: answer.view };
        if (!("again" in answer) || Date.now() >= giveUpAt) return undefined;
      }
    } finally {
      others.delete(tell);
      if (others.size === 0 && this.#waiting.get(id) === others) this.#waiting.delete(id);
    }
  }
}
