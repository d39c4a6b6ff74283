/**
 * Finds out that the clock was set, or that the machine has slept. The runtime waits for an alarm as long as was left until it when
 * it was set, whatever the clock does meanwhile, and while a machine sleeps that stands still: after a night it would ring a night late.
 */

/** Between two looks; a process that is busy looks late, and what comes of that does no harm. */
const JUMP_MS = 5_000;

export class ClockWatch {
  readonly #everyMs: number;
  #expected: number;

  constructor(everyMs: number, now: number) {
    this.#everyMs = everyMs;
    this.#expected = now + everyMs;
  }

  /** A look that comes every so many milliseconds. What time it would be, had the clock gone on as ever; undefined: it has. */
  look(now: number): number | undefined {
    const expected = this.#expected;
    this.#expected = now + this.#everyMs;
    return Math.abs(now - expected) < JUMP_MS ? undefined : expected;
  }
}
