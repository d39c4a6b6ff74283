/**
 * What a runner has started, in a folder: the next runner on the machine ends what one that was killed has left behind. Nothing
 * is ended that is not surely of that runner: by a mark in its environment, or by its pid and the moment that it began.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { END_WITHIN_MS, isUnanswered, type EndCommands } from "./end-container.node.ts";
import { killAll } from "./kill-processes.node.ts";
import { startOf } from "./proc.node.ts";

export type Note = {
  mark: string;
  what: string;
  folder: string;
  /** Of what was started; undefined until it is. */
  pid?: number;
  startedAt?: string;
  /** Ends what is not a descendant: a container. */
  kill: EndCommands;
};
type Entry = Note & { owner: { machine: string; pid: number; startedAt: string } };

export class Journal {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Written before the start, and once more when the pid is known: a runner may be killed between the two. Where it cannot be, it is not. */
  note(note: Note): void {
    const owner = { machine: hostname(), pid: process.pid, startedAt: startOf(process.pid) ?? "" };
    const entry: Entry = { ...note, owner };
    const file = this.#fileOf(note.mark);
    try {
      writeFileSync(`${file}.new`, JSON.stringify(entry), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch {
      // A full disk keeps nobody from running what was asked for.
    }
  }

  noteStarted(note: Note, pid: number): void {
    const startedAt = startOf(pid);
    this.note({ ...note, pid, ...(startedAt === undefined ? {} : { startedAt }) });
  }

  forget(mark: string): void {
    try {
      rmSync(this.#fileOf(mark), { force: true });
    } catch {
      // What is noted and gone does no harm.
    }
  }

  /** Ends what runners that are gone have left; a container whose engine does not answer is left to the next. Answers a sentence for each. */
  sweep(): string[] {
    const found: string[] = [];
    const silent = new Set<string>();
    for (const name of readdirSync(this.#folder)) {
      const file = path.join(this.#folder, name);
      const entry = name.endsWith(".json") ? read(file) : undefined;
      if (entry === undefined || mayLive(entry.owner)) continue;
      const { pid, startedAt, mark } = entry;
      const isSame = pid !== undefined && startedAt !== undefined && startOf(pid) === startedAt;
      // Where its first process has ended, the number may be another's by now: only the mark tells the others.
      killAll({ pid: isSame ? pid : NOBODY, mark }, "SIGKILL");
      for (const [program = "", ...args] of entry.kill) {
        if (!silent.has(program) && !isEnded(program, args)) silent.add(program);
      }
      rmSync(entry.folder, { recursive: true, force: true });
      const isLeft = entry.kill.some(([program = ""]) => silent.has(program));
      if (!isLeft) rmSync(file, { force: true });
      const became = isLeft ? "cannot be ended yet: its engine does not answer" : "was ended";
      found.push(`${entry.what} of a runner that is gone ${became}`);
    }
    return found;
  }

  #fileOf(mark: string): string {
    return path.join(this.#folder, `${mark}.json`);
  }
}

/** A process number that no system gives. */
const NOBODY = 2 ** 31 - 1;

/** A folder may be shared with another machine or container, whose processes cannot be seen here. */
function mayLive({ machine, pid, startedAt }: Entry["owner"]): boolean {
  if (machine !== hostname()) return true;
  if (process.platform === "linux") return startOf(pid) === startedAt;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function read(file: string): Entry | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Entry;
  } catch {
    return undefined;
  }
}

function isEnded(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { timeout: END_WITHIN_MS, stdio: ["ignore", "ignore", "pipe"] });
    return true;
  } catch (thrown) {
    return !isUnanswered(thrown);
  }
}

/** A folder that cannot be written keeps nobody from running anything. */
export function openJournal(folder: string, log: (line: string) => void): Journal | undefined {
  try {
    const journal = new Journal(folder);
    for (const sentence of journal.sweep()) log(sentence);
    return journal;
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    log(`what this runner starts is not noted, so nobody ends it if the runner is killed: ${why}`);
    return undefined;
  }
}
