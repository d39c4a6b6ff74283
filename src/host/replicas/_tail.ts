/** The output of a replica: each line goes to the runner's log, the last few are kept. Secrets are out of both, and so is what terminals obey. */
import { LIMITS } from "../../core/limits.ts";

export const KEPT_LINES = 20;
/** Of a line that is kept: it travels with every report. */
const KEPT_CHARS = 500;

type Options = { redact: (text: string) => string; log: (line: string) => void };

export class Tail {
  readonly #options: Options;
  readonly #lines: string[] = [];

  constructor(options: Options) {
    this.#options = options;
  }

  get lines(): readonly string[] {
    return [...this.#lines];
  }

  /** Takes the bytes of one stream; called with undefined at its end. A line without an end takes no more room than others. */
  stream(): (bytes: Uint8Array | undefined) => void {
    const decoder = new TextDecoder();
    let rest = "";
    return (bytes) => {
      const text = bytes === undefined ? `${decoder.decode()}\n` : decoder.decode(bytes, { stream: true });
      const pieces = text.split("\n");
      for (const [index, piece] of pieces.entries()) {
        if (rest.length < LIMITS.logLineChars) rest = (rest + piece).slice(0, LIMITS.logLineChars);
        if (index === pieces.length - 1) return;
        const line = rest.trimEnd();
        rest = "";
        if (line !== "") this.#keep(line);
      }
    };
  }

  #keep(raw: string): void {
    // First, so that no secret hides between colours.
    const line = this.#options.redact(withoutControls(raw));
    if (line === "") return;
    this.#lines.push(line.slice(0, KEPT_CHARS));
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    this.#options.log(line);
  }
}

/** Colours, titles, movements: for the terminal of whoever started it, and not of whoever reads a status. Tabs stay. */
function withoutControls(line: string): string {
  return line
    .replaceAll(/\p{Cc}\[[0-?]*[ -/]*[@-~]/gu, "")
    .replaceAll(/\p{Cc}\][^\p{Cc}]*/gu, "")
    .replaceAll(/[^\P{Cc}\t]/gu, "");
}
