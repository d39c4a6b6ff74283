/**
 * Starts that fail: how long the next one is put off, from when on a service is said to crash again and again, and when that is
 * forgiven. Pure.
 */
import type { ErrorData } from "../core/errors.ts";
import type { Crashes, Replica } from "./_kept.ts";

const FIRST_MS = 500;
const MOST_MS = 5 * 60_000;
/** In a row. */
const LOOPING = 3;
/**
 * Nobody could take it: nothing is wrong with it, and whoever could may be on the way, as runners are after a start of the platform. So
 * it is tried again soon, and requests wait for some five seconds before they are refused, as calls wait for a runner.
 */
const UNPLACED = { mostMs: 2_000, looping: 5, thenMs: 30_000 };
/** Ready for so long, a start has been a good one; one that ends or breaks sooner counts as a failure. */
export const STEADY_MS = 60_000;

export const NO_CRASHES: Crashes = { failures: 0, reason: null, error: null, lines: [], nextAt: 0, unplaced: false };

/** `error`: of a step that failed, where it was no end of the replica's own. `unplaced`: no place could take it. */
export type Failure = { reason: string; lines: readonly string[]; error: ErrorData | null; unplaced?: boolean };

export function afterFailure(before: Crashes, { unplaced = false, ...failure }: Failure, now: number): Crashes {
  // One says nothing of the other.
  const failures = before.unplaced === unplaced ? before.failures + 1 : 1;
  return { ...failure, unplaced, failures, nextAt: now + delayMs({ failures, unplaced }) };
}

function delayMs({ failures, unplaced }: Pick<Crashes, "failures" | "unplaced">): number {
  const mostMs = !unplaced ? MOST_MS : failures < UNPLACED.looping ? UNPLACED.mostMs : UNPLACED.thenMs;
  return Math.min(mostMs, FIRST_MS * 2 ** Math.min(failures - 1, 20));
}

/**
 * Somebody asks, and a place may have come since the last try: it is tried again now. undefined: it was only just tried, or is tried
 * soon by itself.
 */
export function hurried(crashes: Crashes, now: number): Crashes | undefined {
  if (!crashes.unplaced || !isLooping(crashes) || crashes.nextAt <= now) return undefined;
  const triedAt = crashes.nextAt - delayMs(crashes);
  return now - triedAt < UNPLACED.mostMs ? undefined : { ...crashes, nextAt: now };
}

export function isLooping({ failures, unplaced }: Crashes): boolean {
  return failures >= (unplaced ? UNPLACED.looping : LOOPING);
}

/**
 * When the failures are forgiven, should nothing change until then; null: not by time. One that has long been ready says nothing of
 * starts that fail beside it: it counts from when the last of them was to be made up for, and not while one is under way.
 */
export function steadyAt({ failures, nextAt }: Crashes, replicas: readonly Replica[]): number | null {
  if (failures === 0 || replicas.some(({ phase }) => phase === "starting")) return null;
  const times = replicas.flatMap(({ phase, broken, readyAt }) =>
    (phase === "ready" || phase === "candidate") && broken === null && readyAt !== null
      ? [Math.max(readyAt, nextAt) + STEADY_MS]
      : [],
  );
  return times.length === 0 ? null : Math.min(...times);
}
