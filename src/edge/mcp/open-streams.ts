/**
 * How many streams are open in this isolate. The end of a connection is not always told, so a stream that has not been
 * seen for a while counts no more: each says so itself, again and again.
 */
import { SwitchyardError } from "../../core/errors.ts";

const SEEN_WITHIN_MS = 60_000;

export class OpenStreams {
  readonly #seenAt = new Map<symbol, number>();
  readonly #most: number;
  readonly #now: () => number;

  constructor(most: number, now: () => number) {
    this.#most = most;
    this.#now = now;
  }

  /** Throws too_many_streams. `seen` is called more often than once a minute, `left` at the end. */
  enter(): { seen(): void; left(): void } {
    const now = this.#now();
    for (const [stream, seenAt] of this.#seenAt) if (now - seenAt > SEEN_WITHIN_MS) this.#seenAt.delete(stream);
    if (this.#seenAt.size >= this.#most) {
      throw new SwitchyardError(
        "too_many_streams",
        `Cannot open another stream of changes: at most ${this.#most} are open here at once; there are as many`,
      );
    }
    const stream = Symbol("stream");
    this.#seenAt.set(stream, now);
    return {
      seen: () => void this.#seenAt.set(stream, this.#now()),
      left: () => void this.#seenAt.delete(stream),
    };
  }
}
