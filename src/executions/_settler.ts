/** Reports endings to their shard, those together that come close together, until the shard has heard them. */
import { describeThrown, log } from "../core/log.ts";
import { inPieces } from "../core/pieces.ts";
import { isFinal } from "../model/execution-states.ts";
import type { Outcome } from "../model/outcome.ts";
import type { RunnerPorts, RunnerShard } from "./_runner-ports.ts";
import type { Settled, Settlement } from "./messages.ts";

/** An ending waits for others of its group as long as one comes every millisecond, and no longer than this. */
const GATHER_MAX_MS = 10;
/** Of one report; one ending that is larger goes alone. */
const MESSAGE_CHARS = 2_000_000;

/** How long a shard may be away before what was done is given up, and done again. */
const SETTLE_MAX_MS = 5 * 60_000;

export type Ended = { settlement: Settlement; outcome: Outcome };

export class Settler {
  /** Attempts of the group that have not ended. */
  readonly #going: () => number;
  readonly #shard: RunnerShard;
  readonly #ports: RunnerPorts;
  #waiting: Ended[] = [];
  #flush: Promise<void> | undefined;

  constructor(going: () => number, shard: RunnerShard, ports: RunnerPorts) {
    this.#going = going;
    this.#shard = shard;
    this.#ports = ports;
  }

  async add(ended: Ended): Promise<void> {
    this.#waiting.push(ended);
    while (this.#waiting.includes(ended)) await (this.#flush ??= this.#send());
  }

  async #send(): Promise<void> {
    // Those of this turn join before the first look.
    await Promise.resolve();
    for (let joined = 0, ms = 0; this.#going() > 0 && this.#waiting.length > joined && ms < GATHER_MAX_MS; ms++) {
      joined = this.#waiting.length;
      await scheduler.wait(1);
    }
    const texts = this.#waiting.map(({ settlement }) => JSON.stringify(settlement));
    const [first = []] = inPieces(texts, ({ length }) => length, MESSAGE_CHARS);
    const batch = this.#waiting.slice(0, first.length);
    const text = `[${first.join(",")}]`;
    // The result of an attempt is worth waiting for, and a message that is repeated is refused by its attempt.
    const giveUpAt = this.#ports.now() + SETTLE_MAX_MS;
    let settled: Settled | undefined;
    for (let waitMs = 50; settled === undefined; waitMs = Math.min(waitMs * 2, 2_000)) {
      try {
        settled = JSON.parse(await this.#shard.settle(text)) as Settled;
      } catch (error) {
        log("warn", `executions: cannot settle yet: ${describeThrown(error)}`);
        if (this.#ports.now() > giveUpAt) break;
        await scheduler.wait(waitMs);
      }
    }
    for (const [place, { settlement, outcome }] of batch.entries()) {
      const status = settled?.[place];
      if (status !== null && status !== undefined && isFinal(status)) this.#ports.ended(settlement.id, outcome);
    }
    this.#waiting = this.#waiting.slice(batch.length);
    this.#flush = undefined;
  }
}
