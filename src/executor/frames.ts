/**
 * Many texts as one: how the calls of a group and their answers travel. Each frame is a line of numbers, the last of
 * which is the length of the text that follows, in UTF-16 units; so the long parts are neither parsed nor escaped.
 */

export type NumberedFrame = { numbers: readonly number[]; text: string };

const NUMBERS = /^\d+( \d+)*$/;

export function packFrame(numbers: readonly number[], text: string): string {
  return `${[...numbers, text.length].join(" ")}\n${text}`;
}

/** Takes frames out of a text that arrives in pieces. */
export class FrameReader {
  #rest = "";
  /** The line of the frame that is under way. */
  #numbers: number[] | undefined;
  #length = 0;

  push(piece: string): void {
    this.#rest += piece;
  }

  /** The next whole frame; undefined until more arrives. Throws when the text holds no frames. */
  next(): NumberedFrame | undefined {
    if (this.#numbers === undefined) {
      const end = this.#rest.indexOf("\n");
      if (end === -1) return undefined;
      const line = this.#rest.slice(0, end);
      if (!NUMBERS.test(line)) throw new Error("this is no frame");
      const numbers = line.split(" ").map(Number);
      this.#length = numbers.pop() ?? 0;
      this.#numbers = numbers;
      this.#rest = this.#rest.slice(end + 1);
    }
    if (this.#rest.length < this.#length) return undefined;
    const frame = { numbers: this.#numbers, text: this.#rest.slice(0, this.#length) };
    this.#rest = this.#rest.slice(this.#length);
    this.#numbers = undefined;
    return frame;
  }
}
