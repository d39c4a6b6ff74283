/**
 * Starts that fail: how long the next one is put off, from when on a service is said to crash again and again, and when that is
 * forgiven. Pure.
 */
import type { ErrorData } from "../core/errors.ts";
import type { Crashes, Replica } from "./_kept.ts";

const FIRST_MS = 500;
/** Failures of the same sort, in a row, until it is said to loop; and how long the next start is put off at most before that, and after. */
const PATIENCE = {
  crash: { failures: 3, beforeMs: 5 * 60_000, afterMs: 5 * 60_000 },
  /** Nobody is there to run it. Runners that lost the platform come back within 15 s, so for longer than that it is waited for them. */
  place: { failures: 11, beforeMs: 2_000, afterMs: 30_000 },
} as const;
/** Ready for so long, a start has been a good one; one that ends or breaks sooner counts as a failure. */
export const STEADY_MS = 60_000;

export const NO_CRASHES: Crashes = { failures: 0, reason: null, error: null, lines: [], nextAt: 0 };

/** `error`: of a step that failed, where it was no end of the replica's own. */
export type Failure = { reason: string; lines: readonly string[]; error: ErrorData | null };

export function afterFailure(before: Crashes, failure: Failure, now: number): Crashes {
  const sort = sortOf(failure);
  const failures = (sort === sortOf(before) ? before.failures : 0) + 1;
  const { beforeMs, afterMs, failures: many } = PATIENCE[sort];
  const mostMs = failures < many ? beforeMs : afterMs;
  return { ...failure, failures, nextAt: now + Math.min(mostMs, FIRST_MS * 2 ** Math.min(failures - 1, 20)) };
}

export function isLooping(crashes: Pick<Crashes, "failures" | "error">): boolean {
  return crashes.failures >= PATIENCE[sortOf(crashes)].failures;
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

function sortOf({ error }: Pick<Crashes, "error">): keyof typeof PATIENCE {
  return error?.code === "environment_unavailable" ? "place" : "crash";
}
