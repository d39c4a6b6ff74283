/** Starts that fail: how long the next one is put off, and from when on a service is said to crash again and again. Pure. */
import type { ErrorData } from "../core/errors.ts";
import type { Crashes } from "./_kept.ts";

const FIRST_MS = 500;
const MOST_MS = 5 * 60_000;
/** In a row. */
const LOOPING = 3;
/** Ready for so long, a start has been a good one; one that ends sooner counts as a failure. */
export const STEADY_MS = 60_000;

export const NO_CRASHES: Crashes = { failures: 0, reason: null, error: null, lines: [], nextAt: 0 };

/** `error`: of a step that failed, where it was no end of the replica's own. */
export type Failure = { reason: string; lines: readonly string[]; error: ErrorData | null };

export function afterFailure({ failures: before }: Crashes, failure: Failure, now: number): Crashes {
  const failures = before + 1;
  return { ...failure, failures, nextAt: now + Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20)) };
}

export function isLooping({ failures }: Crashes): boolean {
  return failures >= LOOPING;
}
