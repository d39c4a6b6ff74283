/**
 * The processes of a host between calls: those that wait for the next call of their isolate, and for each language a
 * blank one, started ahead, that becomes any module without a network list.
 */
import type { IsolateDefinition } from "../model/invocation.ts";
import type { ModuleLanguage } from "../model/entities.ts";
import { Child } from "./_child.node.ts";
import { commandOf, sortOf } from "./_commands.node.ts";

/** So long a process waits for the next call of its isolate. */
const IDLE_MS = 60_000;

export class Children {
  readonly #runtime: "deno" | "node";
  readonly #mostIdle: number;
  readonly #idle: { isolate: string; child: Child }[] = [];
  readonly #blanks = new Map<string, Child>();
  readonly #all = new Set<Child>();
  #isClosed = false;

  constructor(runtime: "deno" | "node", slots: number) {
    this.#runtime = runtime;
    this.#mostIdle = 2 * slots;
  }

  /** A process that has the definition and no call. Throws where it cannot be started. */
  take(isolate: string, definition: IsolateDefinition): Child {
    const at = this.#idle.findIndex((each) => each.isolate === isolate);
    const [warm] = at === -1 ? [] : this.#idle.splice(at, 1);
    warm?.child.keep();
    if (warm !== undefined && !warm.child.isGone) return warm.child;
    const sort = sortOf(this.#runtime, definition);
    const blank = this.#blanks.get(sort);
    this.#blanks.delete(sort);
    const child = blank === undefined || blank.isGone ? this.#start(definition) : blank;
    child.load(definition);
    return child;
  }

  giveBack(isolate: string, child: Child): void {
    // Nobody has asked it anything.
    child.onFrame = () => child.kill();
    child.onGone = () => undefined;
    if (child.isGone) return;
    this.#idle.push({ isolate, child });
    child.endAfter(IDLE_MS);
    if (this.#idle.length > this.#mostIdle) this.#idle.shift()?.child.kill();
  }

  /** Starts the blank process of a language where there is none. Does not throw: a call that needs it says why. */
  prepare(language: ModuleLanguage): void {
    const definition = { code: "", language, export: "", network: [], secrets: {} };
    const sort = sortOf(this.#runtime, definition);
    if (this.#isClosed || this.#blanks.get(sort)?.isGone === false) return;
    try {
      this.#blanks.set(sort, this.#start(definition));
    } catch {
      // See above.
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const child of this.#all) child.kill();
  }

  #start(definition: IsolateDefinition): Child {
    const child = new Child(commandOf(this.#runtime, definition));
    for (const each of this.#all) if (each.isGone) this.#all.delete(each);
    this.#all.add(child);
    return child;
  }
}
