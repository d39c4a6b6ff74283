/**
 * How often a process is looked at: every few milliseconds while it has work, once in a while when it rests, so that a
 * platform with nothing to do costs next to nothing. Keeps true that a process is looked at closely from the start of a
 * call: its start journal grows just before, and at rest that file is watched.
 *
 * The price: code that goes on after its answer, and stops its process later than `calmAfterMs`, is noticed with the next
 * look at rest instead of within milliseconds. From an unanswered ping on, both modes look equally closely.
 */
import type { FSWatcher } from "node:fs";
import type { StartJournal } from "./_journal.node.ts";

export type AttentionLimits = {
  /** Without work for this long, a process is at rest. */
  calmAfterMs: number;
  /** How often a process at rest is looked at. */
  calmLookMs: number;
};

type Look = { isDue: boolean };

export type AttentionOptions = AttentionLimits & {
  lookMs: number;
  /** `isDue`: asks the process whether it is alive even if that was asked lately. Answers whether an answer is due. */
  look: (look: Look) => { awaits: boolean };
};

export class Attention {
  readonly #options: AttentionOptions;
  #journal: StartJournal | undefined;
  #journalBytes = 0;
  #workedAtMs = 0;
  #isCalm = false;
  /** The next look is the first close one. */
  #isWoken = false;
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;

  constructor(options: AttentionOptions) {
    this.#options = options;
  }

  get isCalm(): boolean {
    return this.#isCalm;
  }

  /** A process begins; `end` before the next one does. */
  begin(journal: StartJournal): void {
    this.end();
    this.#journal = journal;
    this.#journalBytes = journal.sizeBytes;
    this.#workedAtMs = performance.now();
    this.#lookIn(this.#options.lookMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#leaveCalm();
    this.#journal = undefined;
  }

  /** Something is up: looks at once, and closely from here on. */
  attend(): void {
    if (this.#journal === undefined) return;
    this.#workedAtMs = performance.now();
    if (!this.#isCalm) return;
    this.#leaveCalm();
    this.#isWoken = true;
    this.#lookIn(0);
  }

  /** The process has answered. `isBusy`: it has work, or is in a state that must not be left alone. */
  answered({ isBusy }: { isBusy: boolean }): void {
    const { calmAfterMs, calmLookMs } = this.#options;
    const bytes = this.#journal?.sizeBytes ?? 0;
    const hasWorked = isBusy || bytes !== this.#journalBytes;
    this.#journalBytes = bytes;
    if (hasWorked) this.attend();
    else if (this.#isCalm) this.#lookIn(calmLookMs);
    else if (performance.now() - this.#workedAtMs >= calmAfterMs) this.#rest();
  }

  #rest(): void {
    const journal = this.#journal;
    if (journal === undefined) return;
    try {
      this.#watcher = journal.watch(() => this.attend());
    } catch {
      // No watcher is to be had (the machine's number of them is limited): go on looking closely, and try again later.
      this.#workedAtMs = performance.now();
      return;
    }
    this.#isCalm = true;
    // A call that started just before the watcher did.
    if (journal.sizeBytes !== this.#journalBytes) this.attend();
    else this.#lookIn(this.#options.calmLookMs);
  }

  #leaveCalm(): void {
    this.#isCalm = false;
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#turn(), ms);
  }

  #turn(): void {
    const isDue = this.#isCalm || this.#isWoken;
    this.#isWoken = false;
    const { awaits } = this.#options.look({ isDue });
    // What was seen may have ended all looking.
    if (this.#journal === undefined) return;
    this.#lookIn(this.#isCalm && !awaits ? this.#options.calmLookMs : this.#options.lookMs);
  }
}
