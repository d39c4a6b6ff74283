/**
 * Calls of one group that go to one process in the same turn travel in one request, and their answers come back on its
 * one response as each is there. A message a call costs several times as much as the rest of it; calls of different
 * requests still never share one, because they would share a fate when one of the requests is cancelled.
 */
import { joinFrame, type RunHead } from "../model/frame.ts";
import { FrameReader, packFrame } from "./frames.ts";
import type { AttemptEnd } from "./_pool-call.ts";
import { SECRET_HEADER } from "./protocol.ts";

/** A message with so many calls, or so much text, is full. */
const MOST_CALLS = 64;
const MOST_CHARS = 1024 * 1024;
/** A message is sent when so many microtasks in a row have brought no further call. */
const QUIET_TURNS = 24;

export type Ticket = {
  /** The answer, or undefined when it takes longer than most: `later()` waits on. */
  first: Promise<AttemptEnd | undefined>;
  later(): Promise<AttemptEnd>;
};

type Entry = {
  text: string;
  end?: AttemptEnd;
  first(end: AttemptEnd | undefined): void;
  later?: PromiseWithResolvers<AttemptEnd>;
};

export class GroupMessage {
  readonly #fetcher: Fetcher;
  readonly #secret: string;
  readonly #entries: Entry[] = [];
  readonly #defined = new Set<string>();
  #unanswered = 0;
  #chars = 0;
  #closed = false;
  #firstWaitMs = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(fetcher: Fetcher, secret: string) {
    this.#fetcher = fetcher;
    this.#secret = secret;
  }

  get isOpen(): boolean {
    return !this.#closed && this.#entries.length < MOST_CALLS && this.#chars < MOST_CHARS;
  }

  /** `firstWaitMs`: how long its `first` may take at most; the shortest of the message holds for all. */
  add(head: RunHead, input: string, firstWaitMs: number): Ticket {
    // The code of an isolate goes along once, however many of the calls are for it.
    const { definition, ...rest } = head;
    const repeated = definition !== undefined && this.#defined.has(head.isolate);
    if (definition !== undefined) this.#defined.add(head.isolate);
    const text = joinFrame(repeated ? rest : head, input);
    const { promise: first, resolve } = Promise.withResolvers<AttemptEnd | undefined>();
    const entry: Entry = { text, first: resolve };
    this.#entries.push(entry);
    this.#chars += text.length;
    this.#firstWaitMs = Math.min(this.#firstWaitMs, firstWaitMs);
    if (this.#entries.length === 1) void this.#sendWhenQuiet();
    return {
      first,
      later: () => {
        if (entry.end !== undefined) return Promise.resolve(entry.end);
        entry.later ??= Promise.withResolvers<AttemptEnd>();
        return entry.later.promise;
      },
    };
  }

  async #sendWhenQuiet(): Promise<void> {
    for (let seen = 0, quiet = 0; quiet < QUIET_TURNS && this.isOpen; quiet++) {
      if (this.#entries.length !== seen) [seen, quiet] = [this.#entries.length, 0];
      await Promise.resolve();
    }
    this.#closed = true;
    this.#unanswered = this.#entries.length;
    this.#timer = setTimeout(() => {
      for (const entry of this.#entries) if (entry.end === undefined) entry.first(undefined);
    }, this.#firstWaitMs);
    try {
      await this.#exchange();
    } catch {
      // What broke is told by what is left without an answer.
    }
    clearTimeout(this.#timer);
    for (const entry of this.#entries) if (entry.end === undefined) this.#settle(entry, { kind: "broken" });
  }

  async #exchange(): Promise<void> {
    const response = await this.#fetcher.fetch("http://executor/runs", {
      method: "POST",
      headers: { [SECRET_HEADER]: this.#secret },
      body: this.#entries.map(({ text }) => packFrame([], text)).join(""),
    });
    if (response.status !== 200 || response.body === null) {
      for (const entry of this.#entries) this.#settle(entry, { kind: "status", status: response.status });
      return;
    }
    const answers = new FrameReader();
    const utf8 = new TextDecoder();
    for await (const bytes of response.body) {
      answers.push(utf8.decode(bytes, { stream: true }));
      for (let frame = answers.next(); frame !== undefined; frame = answers.next()) {
        const [index = -1, status = 0] = frame.numbers;
        const entry = this.#entries[index];
        if (entry === undefined) throw new Error("it answers what it was not asked");
        this.#settle(entry, status === 200 ? { kind: "answer", frame: frame.text } : { kind: "status", status });
      }
    }
  }

  #settle(entry: Entry, end: AttemptEnd): void {
    if (entry.end !== undefined) return;
    entry.end = end;
    entry.first(end);
    entry.later?.resolve(end);
    this.#unanswered -= 1;
    if (this.#unanswered === 0) clearTimeout(this.#timer);
  }
}

/** The messages that are still open, by group and slot. */
export class GroupMessages {
  readonly #secret: string;
  readonly #open = new WeakMap<object, Map<number, GroupMessage>>();

  constructor(secret: string) {
    this.#secret = secret;
  }

  to(slot: number, fetcher: Fetcher, group: object): GroupMessage {
    const bySlot = this.#open.get(group) ?? new Map<number, GroupMessage>();
    this.#open.set(group, bySlot);
    const open = bySlot.get(slot);
    if (open?.isOpen === true) return open;
    const message = new GroupMessage(fetcher, this.#secret);
    bySlot.set(slot, message);
    return message;
  }
}
