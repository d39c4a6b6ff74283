/**
 * A process's side of a group (_group-message.ts): starts its calls one after the other, and answers each when it ends.
 *
 * The next call starts when the one before has ended or given the thread back. So what code does to its process before
 * it first waits, be it for ever, happens while the calls behind it are not yet in the start journal, and these can be
 * moved; and on a single thread nothing is lost by it.
 */
import { packFrame } from "./frames.ts";

export type Answer = { status: number; text: string };

/** Answers that end within so long of each other go out together. */
const GATHER_MS = 1;

export async function answerGroup(starts: readonly (() => Promise<Answer>)[]): Promise<Response> {
  const answers = new Outgoing(starts.length);
  void (async () => {
    for (const [index, start] of starts.entries()) {
      const work = start().then(
        (answer) => answers.add(index, answer),
        () => answers.add(index, { status: 500, text: "" }),
      );
      await orIdle(work);
    }
  })();
  const first = await answers.next();
  // The usual group has ended by now: a plain answer is one message less.
  if (answers.isComplete) return new Response(first);
  const { readable, writable } = new IdentityTransformStream();
  void pump(first, answers, writable.getWriter());
  return new Response(readable);
}

async function pump(first: string, answers: Outgoing, writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
  const utf8 = new TextEncoder();
  try {
    await writer.write(utf8.encode(first));
    while (!answers.isComplete) await writer.write(utf8.encode(await answers.next()));
    await writer.close();
  } catch {
    // Nobody listens any more. What runs ends by itself.
  }
}

/** Until the work has ended, or the process has nothing else to do than wait. */
async function orIdle(work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, 0)))]);
  clearTimeout(timer);
}

/** Answers that have not been sent. */
class Outgoing {
  #missing: number;
  #ready = "";
  #wake: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(calls: number) {
    this.#missing = calls;
  }

  get isComplete(): boolean {
    return this.#missing === 0 && this.#ready === "";
  }

  add(index: number, { status, text }: Answer): void {
    this.#missing -= 1;
    this.#ready += packFrame([index, status], text);
    if (this.#missing === 0) this.#wake?.();
    else this.#timer ??= setTimeout(() => this.#wake?.(), GATHER_MS);
  }

  /** Everything that is there, as soon as there is something and no more is about to come. */
  async next(): Promise<string> {
    if (this.#missing > 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ready = this.#ready;
    this.#ready = "";
    return ready;
  }
}
