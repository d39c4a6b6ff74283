/**
 * Ends a program with all that it has started. It has a process group of its own; what leaves the group (setsid) is found on
 * Linux by a mark in its environment. Only a process that also clears its environment gets away.
 */
import { readdirSync, readFileSync } from "node:fs";

/** The environment variable of the mark. */
export const MARK = "SWITCHYARD_RUN";

/** `pid`: of the group's leader. */
export function killAll({ pid, mark }: { pid: number; mark: string }, signal: "SIGTERM" | "SIGKILL"): void {
  kill(-pid, signal);
  // What forks while it is being looked for is found by the next look.
  for (let look = 0; look < (signal === "SIGKILL" ? 20 : 1); look++) {
    const found = marked(mark).filter((each) => kill(each, signal));
    if (found.length === 0) return;
  }
}

export function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Processes whose environment has the mark. Those that have ended, and other users', have none to read. */
export function marked(mark: string): number[] {
  return processIds().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`${MARK}=${mark}`);
    } catch {
      return false;
    }
  });
}

/** All that there are; on other systems than Linux, none are known. */
export function processIds(): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^[1-9][0-9]*$/.test(name))
    .map(Number);
}
