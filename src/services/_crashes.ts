/** Starts that fail: how long the next one is put off, and from when on a service is said to crash again and again. Pure. */
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
/** Ready for so long, a start has been a good one; one that ends sooner counts as a failure. */
export const STEADY_MS = 60_000;

export const NO_CRASHES: Crashes = { failures: 0, reason: null, error: null, lines: [], nextAt: 0, unplaced: false };

/** `error`: of a step that failed, where it was no end of the replica's own. `unplaced`: no place could take it. */
export type Failure = { reason: string; lines: readonly string[]; error: ErrorData | null; unplaced?: boolean };

export function afterFailure(before: Crashes, { unplaced = false, ...failure }: Failure, now: number): Crashes {
  // One says nothing of the other.
  const failures = before.unplaced === unplaced ? before.failures + 1 : 1;
  const mostMs = !unplaced ? MOST_MS : failures < UNPLACED.looping ? UNPLACED.mostMs : UNPLACED.thenMs;
  const delayMs = Math.min(mostMs, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return { ...failure, unplaced, failures, nextAt: now + delayMs };
}

/** Somebody asks, and a place may have come since the last try: it is tried again now. undefined: it was only just tried. */
export function hurried(crashes: Crashes, now: number): Crashes | undefined {
  const isEarly = crashes.nextAt - now > UNPLACED.thenMs - UNPLACED.mostMs;
  return crashes.unplaced && crashes.nextAt > now && !isEarly ? { ...crashes, nextAt: now } : undefined;
}

/**
 * When what failed is made good: a replica has been ready for so long, and the start that was due then has not failed again. One that
 * was there before the failure proves nothing by itself: it may be of the revision before. undefined: none is ready, or one starts.
 */
export function madeGoodAt(
  { failures, nextAt }: Crashes,
  replicas: readonly Pick<Replica, "phase" | "readyAt">[],
): number | undefined {
  if (failures === 0 || replicas.some(({ phase }) => phase === "starting")) return undefined;
  const since = replicas.flatMap(({ phase, readyAt }) => (phase === "ready" && readyAt !== null ? [readyAt] : []));
  return since.length === 0 ? undefined : Math.max(Math.min(...since), nextAt) + STEADY_MS;
}

export function isLooping({ failures, unplaced }: Crashes): boolean {
  return failures >= (unplaced ? UNPLACED.looping : LOOPING);
}
