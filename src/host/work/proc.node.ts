/** What Linux says of processes in /proc: when one began, and what a group of them has used. Nothing on other systems. */
import { readFileSync } from "node:fs";
import { processIds } from "./kill-processes.node.ts";

type Stat = { state: string; group: number; ticks: number; startedAt: string };

/** USER_HZ, which is 100 wherever Node runs. */
export const TICKS_PER_S = 100;
/** One look at all processes serves all replicas. */
const LOOK_EVERY_MS = 500;

let looked: { at: number; ticks: Map<number, number> } | undefined;

/** Processor time of a process group, with that of those in it that have ended and were waited for. null: not known here. */
export function groupTicks(group: number, now = performance.now()): number | null {
  if (process.platform !== "linux") return null;
  if (looked === undefined || now - looked.at >= LOOK_EVERY_MS) {
    const ticks = new Map<number, number>();
    for (const stat of stats()) ticks.set(stat.group, (ticks.get(stat.group) ?? 0) + stat.ticks);
    looked = { at: now, ticks };
  }
  return looked.ticks.get(group) ?? null;
}

/** Whether anything of the group still runs. What has ended and nobody has waited for does not. */
export function groupLives(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch {
    return false;
  }
  return process.platform !== "linux" || stats().some((stat) => stat.group === group && !/[ZX]/.test(stat.state));
}

/** The moment that a process began, in the kernel's count since it booted: with its pid, a name for ever. */
export function startOf(pid: number): string | undefined {
  const stat = readStat(pid);
  return stat === undefined || /[ZX]/.test(stat.state) ? undefined : stat.startedAt;
}

function stats(): Stat[] {
  return processIds()
    .map(readStat)
    .filter((stat) => stat !== undefined);
}

function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The program's name may have anything in it; after its last parenthesis come the fields from the third on.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => fields[number - 3] ?? "";
  const ticks = [14, 15, 16, 17].reduce((sum, number) => sum + Number(field(number)), 0);
  return { state: field(3), group: Number(field(5)), ticks, startedAt: field(22) };
}
