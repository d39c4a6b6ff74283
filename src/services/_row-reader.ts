/**
 * Reads the rows that a service's object goes by, and writes down what is new in them. One look at a time: whoever asks while somebody
 * looks is answered with that look, unless the row may have changed since it began.
 */
import { canonicalJson } from "../core/hash.ts";
import type { ErrorData } from "../core/errors.ts";
import { complain } from "./_complain.ts";
import type { Ledger } from "./_ledger.ts";
import { noService } from "./_refusals.ts";
import type { ServiceStore } from "./_service-store.ts";
import { contentOf } from "./_wanted.ts";
import type { LookAnswer } from "./messages.ts";

/** The row is looked at when a request finds nothing ready, unless that was just done. */
const LOOK_MS = 5_000;

export type RowReaderDeps = {
  store: ServiceStore;
  ledger: Ledger;
  name: () => string;
  /** A transaction. */
  write: (work: (now: number) => unknown) => void;
  /** Service → LookAnswer, in an invocation of its own. */
  runner: () => { look(service: string): Promise<string> };
};

export class RowReader {
  readonly #deps: RowReaderDeps;
  #looking: Promise<ErrorData | undefined> | undefined;
  #lookedAt = 0;

  constructor(deps: RowReaderDeps) {
    this.#deps = deps;
  }

  /** What stood in the way, or that there is no such service; `again`: even if somebody is just reading. Never throws. */
  async look(again = false): Promise<ErrorData | undefined> {
    if (again && this.#looking !== undefined) await this.#looking;
    return (this.#looking ??= this.#lookOn());
  }

  /** Whether it is worth another look; who is told so is to look. */
  isDue(now: number): boolean {
    if (now - this.#lookedAt <= LOOK_MS) return false;
    this.#lookedAt = now;
    return true;
  }

  /** The clock has jumped. */
  beginAnew(): void {
    this.#lookedAt = 0;
  }

  async #lookOn(): Promise<ErrorData | undefined> {
    const { store, ledger, write, runner } = this.#deps;
    const name = this.#deps.name();
    try {
      const answer = JSON.parse(await runner().look(name)) as LookAnswer;
      if ("error" in answer) return answer.error;
      const { settings } = answer;
      const content = settings === null ? "" : await contentOf(settings);
      const head = store.head();
      this.#lookedAt = Date.now();
      if (settings === null) {
        if (head !== undefined && !head.isGone) write((now) => ledger.leave(head, now));
        return noService(name);
      }
      if (head === undefined) write((now) => ledger.begin(settings, content, now));
      else if (head.isGone || canonicalJson(head.settings) !== canonicalJson(settings)) {
        write((now) => ledger.adopt(head, settings, content, now));
      }
      return undefined;
    } catch (error) {
      complain("cannot look", error);
      return { code: "state_unavailable", detail: `Cannot read the row of the service "${name}": ${String(error)}` };
    } finally {
      this.#looking = undefined;
    }
  }
}
