/** A bounded stream of calls of all kinds, and readers that follow each execution to its end. */
import type { Client } from "./_client.ts";
import type { Asked, History } from "./_history.ts";
import type { Random } from "./_random.ts";

const READERS = 3;
/** A caller waits while more than these, for each of them, have not ended: a platform that is down must not drown in work. */
const OPEN_EACH = 24;
/** Longest pause of a caller. Milliseconds. */
const PAUSE_MS = 500;
/** How long one request may be repeated before it counts as never answered. */
const ANSWER_WITHIN_MS = 120_000;

export class Load {
  readonly #client: Client;
  readonly #history: History;
  readonly #random: Random;
  #open: string[] = [];
  readonly #followed = new Set<string>();
  #isOver = false;
  #work: Promise<unknown> = Promise.resolve();
  #readersWork: Promise<unknown> = Promise.resolve();
  #callersAreDone = false;

  readonly #callers: number;

  constructor(client: Client, history: History, { random, callers }: { random: Random; callers: number }) {
    this.#callers = callers;
    this.#client = client;
    this.#history = history;
    this.#random = random;
  }

  start(): void {
    this.#work = Promise.all(Array.from({ length: this.#callers }, () => this.#callAgainAndAgain()));
    this.#readersWork = Promise.all(Array.from({ length: READERS }, () => this.#read()));
  }

  /** No more new calls. Resolves when those under way are answered; executions may still run. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  /** Reads on until all that is known has ended. Answers the ids of what has not by then. */
  async untilAllEnded(withinMs: number): Promise<string[]> {
    const giveUpAt = Date.now() + withinMs;
    while (this.#followed.size > 0 && Date.now() < giveUpAt) await pause(100);
    this.#callersAreDone = true;
    await this.#readersWork;
    return [...this.#followed];
  }

  async #callAgainAndAgain(): Promise<void> {
    while (!this.#isOver) {
      await pause(this.#random.between(20, PAUSE_MS));
      if (this.#followed.size >= this.#callers * OPEN_EACH) continue;
      const asked = this.#next();
      const id = await this.#client.call(asked, Date.now() + ANSWER_WITHIN_MS);
      if (id === undefined) continue;
      this.#follow(id);
      if (this.#random.next() < 0.15 && asked.key !== undefined) {
        // A client that asks twice, as after an answer that was lost.
        await this.#client.call(asked, Date.now() + ANSWER_WITHIN_MS);
      }
      const slow = asked.operation === "soak_slow" || asked.operation === "soak_parent" || asked.query !== "";
      if (slow && this.#random.next() < 0.35) {
        await pause(this.#random.between(0, 800));
        await this.#client.cancel(id);
      }
    }
  }

  #next(): Asked {
    const random = this.#random;
    const history = this.#history;
    // One in seven has no key: what becomes of it when its answer is lost nobody can know.
    const key = random.next() < 1 / 7 ? undefined : `key-${history.asked.length}-${random.between(0, 1e9)}`;
    const ms = random.between(200, 2_000);
    return random.pick<() => Asked>([
      [4, () => history.ask("soak_fast", {}, { key })],
      [3, () => history.ask("soak_slow", { ms }, { key })],
      [2, () => history.ask("soak_flaky", {}, { key })],
      [1, () => history.ask("soak_terminal", {}, { key })],
      [1, () => history.ask("soak_later", {}, { key })],
      [3, () => history.ask("soak_lane", { lane: random.between(0, 3), ms: random.between(20, 300) }, { key })],
      [1, () => history.ask("soak_fast", {}, { key, query: `?delay_ms=${random.between(100, 4_000)}` })],
      [1, () => history.ask("soak_parent", { ms: random.between(50, 800) }, { key })],
      [2, () => this.#repeated() ?? history.ask("soak_fast", {}, { key })],
    ])();
  }

  /** One of the last requests with a key, to be sent once more. */
  #repeated(): Asked | undefined {
    const keyed = this.#history.asked.slice(-200).filter(({ key }) => key !== undefined);
    return keyed[this.#random.between(0, keyed.length - 1)];
  }

  #follow(id: string): void {
    if (this.#followed.has(id) || this.#history.ended.has(id)) return;
    this.#followed.add(id);
    this.#open.push(id);
  }

  async #read(): Promise<void> {
    while (!this.#callersAreDone) {
      const id = this.#open.shift();
      if (id === undefined) {
        await pause(50);
        continue;
      }
      const seen = await this.#client.seen(id);
      if (seen === undefined) {
        this.#open.push(id);
        await pause(60);
        continue;
      }
      this.#history.ended.set(id, seen);
      this.#followed.delete(id);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
