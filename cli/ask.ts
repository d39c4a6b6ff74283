/** Questions to a person at a terminal. Nothing here is ever asked of a script. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

export function isInteractive(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** No is the answer to everything that is not y or yes. */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr }).on("SIGINT", interrupted);
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** What is typed is not shown. */
export async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const mute = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: mute, terminal: true }).on("SIGINT", interrupted);
  try {
    return await terminal.question("");
  } finally {
    terminal.close();
    process.stderr.write("\n");
  }
}

/** Ctrl-C at a question: nothing was done, and the exit code is the one that shells give to an interrupt. */
function interrupted(): never {
  process.stderr.write("\n");
  process.exit(130);
}
