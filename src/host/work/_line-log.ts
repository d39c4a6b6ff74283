/** Bytes of stderr → log lines, as many and as long as the limits allow; a line without an end takes no more room either. */
import { LIMITS } from "../../core/limits.ts";
import type { LogLine } from "../../model/invocation.ts";

export class LineLog {
  readonly #lines: LogLine[] = [];
  readonly #log: (level: LogLine["level"], message: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";
  #last: string | undefined;

  constructor(log: (level: LogLine["level"], message: string) => void) {
    this.#log = log;
  }

  add(bytes: Uint8Array): void {
    this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** `lastLine` is the last that says something, also beyond the limit. */
  end(): { logs: readonly LogLine[]; lastLine: string | undefined } {
    this.#take(`${this.#decoder.decode()}\n`);
    return { logs: this.#lines, lastLine: this.#last };
  }

  #take(text: string): void {
    const pieces = text.split("\n");
    for (const [index, piece] of pieces.entries()) {
      if (this.#rest.length < LIMITS.logLineChars) this.#rest = (this.#rest + piece).slice(0, LIMITS.logLineChars);
      if (index === pieces.length - 1) return;
      const line = this.#rest.trimEnd();
      this.#rest = "";
      if (line !== "") this.#keep(line);
    }
  }

  #keep(line: string): void {
    this.#last = line;
    if (this.#lines.length > LIMITS.logLines) return;
    const full = this.#lines.length === LIMITS.logLines;
    const message = full ? `More than ${LIMITS.logLines} lines: the rest is left out.` : line;
    const level = full ? "warn" : "info";
    this.#lines.push({ level, message, at_ms: Date.now() });
    this.#log(level, message);
  }
}
