/** One program that runs until it ends or is stopped: its group, its folder, its output. It leaves nothing behind. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { SwitchyardError } from "../../core/errors.ts";
import { endContainer } from "../work/end-container.node.ts";
import { killAll, kill, MARK } from "../work/kill-processes.node.ts";
import type { Command } from "./_command.node.ts";
import type { Journal } from "../work/journal.node.ts";
import { groupLives } from "../work/proc.node.ts";
import type { Tail } from "./_tail.ts";

export type Running = {
  readonly pid: number;
  /** How, as a sentence's end, once its first process has ended. */
  readonly end: string | undefined;
  readonly ended: Promise<string>;
  /** SIGTERM to all of it, SIGKILL after the grace. Resolves once nothing of it is left. */
  stop(graceMs: number): Promise<void>;
};

/** How long its pipes are read after its end, should somebody unseen hold them open. */
const DRAIN_MS = 250;
/** The kernel may take its time with what was killed. */
const KILLED_MS = 2_000;

export async function launch(
  command: Command,
  { what, folder, tail, journal }: { what: string; folder: string; tail: Tail; journal: Journal | undefined },
): Promise<Running> {
  const mark = randomUUID();
  const note = { mark, what, folder, kill: command.kill };
  journal?.note(note);
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: { ...command.env, [MARK]: mark },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const pipe of [child.stdout, child.stderr]) {
    const take = tail.stream();
    pipe.on("data", take);
    pipe.on("error", () => {});
    pipe.once("close", () => take(undefined));
  }
  const { pid } = child;
  if (pid === undefined) {
    const error = await new Promise<Error>((resolve) => child.once("error", resolve));
    journal?.forget(mark);
    await rm(folder, { recursive: true, force: true });
    throw new SwitchyardError("environment_misconfigured", `Cannot start ${what}: it must start; ${error.message}`);
  }
  journal?.noteStarted(note, pid);
  let end: string | undefined;
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      end = signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
      // Its last words are worth a moment.
      void within(closed, DRAIN_MS).then(() => {
        end = command.explain?.(code, tail.lines) ?? end;
        resolve(end ?? "");
      });
    });
  });
  const clear = async () => {
    killAll({ pid, mark }, "SIGKILL");
    const { tried, gone } = endContainer(command.kill);
    await tried;
    await within(ended, KILLED_MS);
    for (let look = 0; look < 50 && groupLives(pid); look++) await sleep(20);
    child.stdout.destroy();
    child.stderr.destroy();
    // What cannot be removed is the next runner's to try.
    await rm(folder, { recursive: true, force: true }).then(
      () => void gone.then(() => journal?.forget(mark)),
      () => undefined,
    );
  };
  const isLeft = () => end === undefined || groupLives(pid);
  let clearing: Promise<void> | undefined;
  const isClearing = () => clearing !== undefined;
  return {
    pid,
    ended,
    get end() {
      return end;
    },
    async stop(graceMs) {
      const until = performance.now() + graceMs;
      if (!isClearing() && isLeft()) kill(-pid, "SIGTERM");
      for (let waitMs = 5; !isClearing() && performance.now() < until && isLeft(); waitMs = Math.min(50, waitMs * 2)) {
        await (end === undefined ? within(ended, Math.min(waitMs, until - performance.now())) : sleep(waitMs));
      }
      await (clearing ??= clear());
    },
  };
}

export async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.max(0, ms))))]);
  clearTimeout(timer);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
