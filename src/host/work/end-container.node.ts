/** Ends a container by its engine's own commands: it is no descendant of whoever started it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { NO_ENGINE } from "./docker.node.ts";

/** Commands, one after another; none for what is no container. */
export type EndCommands = readonly (readonly string[])[];

/** Of one command. */
export const END_WITHIN_MS = 10_000;
/** Until an engine that did not answer is asked again. */
const AGAIN_MS = 2_000;

const run = promisify(execFile);

/** Those whose engine did not answer. One of them is tried at a time: there may be many, and it is down for all of them. */
const waiting: { commands: EndCommands; gone: () => void }[] = [];

/**
 * `tried`: the first try is over. `gone`: there is none left, as the engine says; one that does not answer is asked again for as long as
 * this process lives, since it may go on running what it was not told to end. Neither rejects.
 */
export function endContainer(commands: EndCommands): { tried: Promise<void>; gone: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const tried = tryToEnd(commands).then((isGone) => {
    if (isGone) return resolve();
    waiting.push({ commands, gone: resolve });
    if (waiting.length === 1) tryLater();
  });
  return { tried, gone: promise };
}

function tryLater(): void {
  setTimeout(() => void tryAgain(), AGAIN_MS).unref();
}

async function tryAgain(): Promise<void> {
  for (let [next] = waiting; next !== undefined; [next] = waiting) {
    const isGone = await tryToEnd(next.commands);
    waiting.shift();
    if (isGone) {
      next.gone();
      continue;
    }
    waiting.push(next);
    return tryLater();
  }
}

async function tryToEnd(commands: EndCommands): Promise<boolean> {
  let isGone = true;
  for (const [program = "", ...args] of commands) {
    try {
      await run(program, args, { timeout: END_WITHIN_MS });
    } catch (thrown) {
      if (isUnanswered(thrown)) isGone = false;
    }
  }
  return isGone;
}

/** Whatever else a command says against it, there is nothing to be ended any more. */
export function isUnanswered(thrown: unknown): boolean {
  const { killed, code, stderr } = thrown as { killed?: boolean; code?: unknown; stderr?: unknown };
  return killed === true || code === "ETIMEDOUT" || NO_ENGINE.test(String(stderr));
}
