/**
 * Runs one program to its end and leaves nothing of it behind. It has a process group of its own; what leaves the group
 * (setsid) is found on Linux by a mark in its environment. Only a process that also clears its environment gets away.
 * The reply waits for the program itself, never for others that hold its pipes.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Cancellation } from "../../core/cancellation.ts";
import { LIMITS } from "../../core/limits.ts";
import type { LogLine } from "../../model/invocation.ts";
import { LineLog } from "./_line-log.ts";

export type Program = {
  file: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  input: string;
  timeoutMs: number;
  cancellation?: Cancellation | undefined;
  log: (level: LogLine["level"], message: string) => void;
  /** Ends what is not a descendant: a container. */
  onKill?: () => void;
};

export type Ended = { logs: readonly LogLine[]; lastLine: string | undefined } & (
  | { kind: "exit"; code: number | null; signal: NodeJS.Signals | null; stdout: Uint8Array }
  | { kind: "timeout" | "cancelled" | "too_large" }
  | { kind: "not_started"; reason: string }
);

const MARK = "SWITCHYARD_RUN";
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 2_000;
/** How long the pipes of a program that has ended are read, should somebody unseen hold them open. */
const DRAIN_MS = 250;

export async function runProgram(program: Program): Promise<Ended> {
  const mark = `${MARK}=${randomUUID()}`;
  const log = new LineLog(program.log);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let stopped: "timeout" | "cancelled" | "too_large" | undefined;
  let grace: NodeJS.Timeout | undefined;
  const child = spawn(program.file, program.args, {
    cwd: program.cwd,
    env: { ...program.env, [MARK]: mark.slice(MARK.length + 1) },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stop = (why: NonNullable<typeof stopped>) => {
    if (stopped !== undefined) return;
    stopped = why;
    if (why === "too_large") return killAll(child, mark, "SIGKILL");
    killAll(child, mark, "SIGTERM");
    program.onKill?.();
    grace = setTimeout(() => killAll(child, mark, "SIGKILL"), GRACE_MS);
  };
  const timer = setTimeout(() => stop("timeout"), program.timeoutMs);
  const forget = program.cancellation?.onRequest(() => stop("cancelled"));
  if (program.cancellation?.requested === true) stop("cancelled");
  // A program need not read its input: a broken pipe there says nothing about how it ends.
  child.stdin.on("error", () => {});
  child.stdin.end(program.input);
  child.stdout.on("data", (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= LIMITS.jsonBytes) chunks.push(chunk);
    else stop("too_large");
  });
  child.stdout.on("error", () => {});
  child.stderr.on("error", () => {});
  child.stderr.on("data", (chunk: Buffer) => log.add(chunk));

  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const exit = await new Promise<{ code: number | null; signal: NodeJS.Signals | null } | Error>((resolve) => {
    child.once("error", resolve);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  clearTimeout(timer);
  clearTimeout(grace);
  forget?.();
  if (exit instanceof Error) return { kind: "not_started", reason: exit.message, logs: [], lastLine: undefined };
  if (stopped !== undefined) program.onKill?.();
  killAll(child, mark, "SIGKILL");
  await within(closed, DRAIN_MS);
  child.stdout.destroy();
  child.stderr.destroy();
  const said = log.end();
  return stopped === undefined
    ? { kind: "exit", ...exit, stdout: Buffer.concat(chunks), ...said }
    : { kind: stopped, ...said };
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

function killAll(child: ChildProcess, mark: string, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  kill(-child.pid, signal);
  // What forks while it is being looked for is found by the next look.
  for (let look = 0; look < (signal === "SIGKILL" ? 20 : 1); look++) {
    const found = marked(mark).filter((pid) => kill(pid, signal));
    if (found.length === 0) return;
  }
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Processes whose environment has the mark. Those that have ended, and other users', have none to read. */
function marked(mark: string): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^[1-9][0-9]*$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, "latin1").includes(mark);
      } catch {
        return false;
      }
    })
    .map(Number);
}
