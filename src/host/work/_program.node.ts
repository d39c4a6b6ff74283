/**
 * Runs one program to its end and leaves nothing of it behind (kill-processes.node.ts).
 * The reply waits for the program itself, never for others that hold its pipes.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Cancellation } from "../../core/cancellation.ts";
import { LIMITS } from "../../core/limits.ts";
import type { LogLine } from "../../model/invocation.ts";
import { LineLog } from "./_line-log.ts";
import { endContainer, type EndCommands } from "./end-container.node.ts";
import type { Journal } from "./journal.node.ts";
import { killAll, MARK } from "./kill-processes.node.ts";

export type Program = {
  file: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  input: string;
  timeoutMs: number;
  cancellation?: Cancellation | undefined;
  log: (level: LogLine["level"], message: string) => void;
  /** Who it is for, should it be left behind: `the operation "x"`. */
  what: string;
  journal?: Journal | undefined;
  /** Ends what is not a descendant: a container. */
  kill?: EndCommands;
};

export type Ended = { logs: readonly LogLine[]; lastLine: string | undefined } & (
  | { kind: "exit"; code: number | null; signal: NodeJS.Signals | null; stdout: Uint8Array }
  | { kind: "timeout" | "cancelled" | "too_large" }
  | { kind: "not_started"; reason: string }
);

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 2_000;
/** How long the pipes of a program that has ended are read, should somebody unseen hold them open. */
const DRAIN_MS = 250;

export async function runProgram(program: Program): Promise<Ended> {
  const mark = randomUUID();
  const log = new LineLog(program.log);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let stopped: "timeout" | "cancelled" | "too_large" | undefined;
  let grace: NodeJS.Timeout | undefined;
  const { what, cwd: folder, kill = [] } = program;
  const note = { mark, what, folder, kill };
  program.journal?.note(note);
  const child = spawn(program.file, program.args, {
    cwd: program.cwd,
    env: { ...program.env, [MARK]: mark },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  if (child.pid !== undefined) program.journal?.noteStarted(note, child.pid);
  const signal = (name: "SIGTERM" | "SIGKILL") => {
    if (child.pid !== undefined) killAll({ pid: child.pid, mark }, name);
  };
  const stop = (why: NonNullable<typeof stopped>) => {
    if (stopped !== undefined) return;
    stopped = why;
    if (why === "too_large") return signal("SIGKILL");
    signal("SIGTERM");
    void endContainer(kill).tried;
    grace = setTimeout(() => signal("SIGKILL"), GRACE_MS);
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
  if (exit instanceof Error) {
    program.journal?.forget(mark);
    return { kind: "not_started", reason: exit.message, logs: [], lastLine: undefined };
  }
  signal("SIGKILL");
  // Only success is surely the container's own word that it has ended: any other may be of a client that it has outlived.
  const { tried, gone } = endContainer(stopped === undefined && exit.code === 0 ? [] : kill);
  await tried;
  void gone.then(() => program.journal?.forget(mark));
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
