/**
 * GCRA (ITU-T I.371) as a meter, in whole numbers. Each call adds one cell to a bucket that leaks `limit` cells in every
 * window and holds `burst`; one that would overflow is refused and adds nothing. Levels are counted in cells × the window's
 * milliseconds, which a millisecond of leaking lowers by exactly `limit`: nothing is ever rounded, so of any number of
 * calls exactly as many pass as the limit says.
 *
 * The clock may jump. Back: the bucket leaks from the new time on, so nobody waits longer than for one cell. Forward: it is
 * empty, as it would be after a pause.
 */

export type Rate = { limit: number; windowMs: number; burst: number };

/** `level` as of `at`, milliseconds since the epoch, under this rate. */
export type Meter = Rate & { at: number; level: number };

export type Admission = { meter: Meter; allowed: boolean; remaining: number; resetMs: number; afterMs: number };

export function admit(before: Meter | undefined, rate: Rate, now: number): Admission {
  const { limit, windowMs, burst } = rate;
  const capacity = burst * windowMs;
  const leaked = before === undefined ? 0 : leak(before, now);
  // Under another rate the calls that were counted stay counted, each as one.
  const carried = before === undefined || before.windowMs === windowMs ? leaked : (leaked / before.windowMs) * windowMs;
  const level = Math.min(Math.ceil(carried), capacity);
  const allowed = level + windowMs <= capacity;
  const after = allowed ? level + windowMs : level;
  return {
    meter: { ...rate, at: now, level: after },
    allowed,
    remaining: Math.floor((capacity - after) / windowMs),
    resetMs: Math.ceil(after / limit),
    afterMs: Math.max(0, Math.ceil((after + windowMs - capacity) / limit)),
  };
}

/** Milliseconds until the bucket is empty, and as good as none. */
export function emptyInMs(meter: Meter, now: number): number {
  return Math.ceil(leak(meter, now) / meter.limit);
}

function leak({ at, level, limit }: Meter, now: number): number {
  return Math.max(0, level - Math.max(0, now - at) * limit);
}
