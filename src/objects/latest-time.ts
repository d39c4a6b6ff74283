/**
 * Finds out that the clock was put back. All times that are known lie in the future then, and what waits for them would wait for as
 * long as it was put back: whoever has noted some brings them back to now.
 */

/** Clocks are set right by less than that all the time. */
const BACK_MS = 5_000;

export class LatestTime {
  #latest = 0;

  /** It was so late already, as others know. */
  note(time: number): void {
    this.#latest = Math.max(this.#latest, time);
  }

  /** By how much it was since the last look, at least; 0: it was not. `noted`: a time that has been, known from somewhere else. */
  putBackMs(now: number, noted = 0): number {
    const latest = Math.max(this.#latest, noted);
    this.#latest = now;
    return latest - now < BACK_MS ? 0 : latest - now;
  }
}
