/**
 * The start journal of one executor process: the file that is its standard output. The process writes a line with the
 * call's id (callId() of protocol.ts) just before its code starts, so the file tells what had started even when the process is killed.
 *
 * The file is cut when it grows: cut first, then the process writes the ids of all that still run. Until that is done
 * an id that is not found counts as started, which is the safe answer.
 */
import { closeSync, ftruncateSync, fstatSync, type FSWatcher, openSync, readSync, unlinkSync, watch } from "node:fs";

const CUT_AT_BYTES = 4 * 1024 * 1024;

export class StartJournal {
  readonly #path: string;
  readonly #file: number;
  readonly #started = new Set<string>();
  #readTo = 0;
  #rest = "";
  #cutting = false;

  constructor(path: string) {
    this.#path = path;
    // Append mode is what lets the file be cut under the process that writes it.
    this.#file = openSync(path, "a+", 0o600);
    ftruncateSync(this.#file, 0);
  }

  /** What the process gets as its standard output. */
  get descriptor(): number {
    return this.#file;
  }

  /** Grows with every call that starts. */
  get sizeBytes(): number {
    return fstatSync(this.#file).size;
  }

  /** Calls `changed` soon after the file has grown, once at least. Throws where the machine has no watcher left. */
  watch(changed: () => void): FSWatcher {
    return watch(this.#path, { persistent: false }, changed).on("error", changed);
  }

  hasStarted(callId: string): boolean {
    if (this.#cutting) return true;
    this.#readOn();
    return this.#started.has(callId);
  }

  /** Keeps the file small. `rewrite` makes the process write the ids of all that runs. */
  async cut(rewrite: () => Promise<void>): Promise<void> {
    if (this.#cutting || this.sizeBytes < CUT_AT_BYTES) return;
    this.#cutting = true;
    ftruncateSync(this.#file, 0);
    this.#started.clear();
    this.#readTo = 0;
    this.#rest = "";
    try {
      await rewrite();
      this.#cutting = false;
    } catch {
      // The process does not answer. It stays unknown what had started, until the process is replaced.
    }
  }

  close(): void {
    closeSync(this.#file);
    unlinkSync(this.#path);
  }

  #readOn(): void {
    const chunk = Buffer.alloc(64 * 1024);
    for (;;) {
      const length = readSync(this.#file, chunk, 0, chunk.length, this.#readTo);
      if (length === 0) return;
      this.#readTo += length;
      const lines = (this.#rest + chunk.toString("latin1", 0, length)).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#started.add(line);
    }
  }
}
