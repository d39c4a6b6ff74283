/** The definitions that a host keeps, by isolate id. Over the limit it forgets those not used for longest, and asks again. */
import { noteSecrets } from "../core/redact.ts";
import type { IsolateDefinition } from "../model/invocation.ts";

const MOST_CHARS = 64 * 1024 * 1024;

export class Definitions {
  readonly #most: number;
  readonly #byIsolate = new Map<string, IsolateDefinition>();
  #chars = 0;

  constructor(mostChars = MOST_CHARS) {
    this.#most = mostChars;
  }

  get(isolate: string): IsolateDefinition | undefined {
    const found = this.#byIsolate.get(isolate);
    if (found === undefined) return undefined;
    // A map keeps the order in which keys came.
    this.#byIsolate.delete(isolate);
    this.#byIsolate.set(isolate, found);
    return found;
  }

  set(isolate: string, definition: IsolateDefinition): void {
    this.#forget(isolate);
    this.#byIsolate.set(isolate, definition);
    noteSecrets(Object.values(definition.secrets));
    this.#chars += definition.code.length;
    for (const oldest of this.#byIsolate.keys()) {
      if (this.#chars <= this.#most || oldest === isolate) return;
      this.#forget(oldest);
    }
  }

  #forget(isolate: string): void {
    this.#chars -= this.#byIsolate.get(isolate)?.code.length ?? 0;
    this.#byIsolate.delete(isolate);
  }
}
