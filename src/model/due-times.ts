/**
 * When a schedule is due: by its cron expression in its time zone, or every so many milliseconds since the epoch. A due time
 * is an instant; jitter puts off the start and is no part of it. Nothing here knows what time it is.
 */
import { isTimeZone, parseCron, type DueTimes } from "./cron.ts";
import type { Schedule } from "./triggers.ts";

export type { DueTimes };
export type Timing = Pick<Schedule, "cron" | "time_zone" | "every_ms">;

/** An expression that was stored once is read again: should it not be readable any more, it has no due times. */
const NEVER: DueTimes = {
  next: () => undefined,
  count: () => ({ count: 0, more: false }),
  names: () => true,
};

export function dueTimes({ cron, time_zone: timeZone, every_ms: everyMs }: Timing): DueTimes {
  if (everyMs !== null) {
    return {
      next: (after) => (Math.floor(after / everyMs) + 1) * everyMs,
      guessLast: (until) => Math.floor(until / everyMs) * everyMs,
      count: (after, until) => ({
        count: Math.max(0, Math.floor(until / everyMs) - Math.floor(after / everyMs)),
        more: false,
      }),
      names: () => true,
    };
  }
  if (cron === null || !isTimeZone(timeZone)) return NEVER;
  const parsed = parseCron(cron, timeZone);
  return parsed.ok ? parsed.times : NEVER;
}

/** Due times after the one instant and not after the other, from the earliest on; `more`: there are more than `limit`. */
export function dueBetween(
  times: DueTimes,
  span: { after: number; until: number },
  limit: number,
): { due: number[]; more: boolean } {
  const due: number[] = [];
  for (let at = times.next(span.after); at !== undefined && at <= span.until; at = times.next(at)) {
    if (due.length === limit) return { due, more: true };
    due.push(at);
  }
  return { due, more: false };
}

/** The last `limit` due times after the one instant and not after the other, from the earliest on; `before`: there are others. */
export function lastDue(
  times: DueTimes,
  span: { after: number; until: number },
  limit: number,
): { due: number[]; before: boolean } {
  // Times cannot be counted but by stepping, so the start from which exactly `limit` are left is found by halving, where they
  // come evenly at the first guess.
  let { after } = span;
  const guess = limit === 1 ? times.guessLast?.(span.until) : undefined;
  // Where clocks were changed, to step back and to step forward may not agree; what counts is forward.
  if (guess !== undefined && guess > after && times.next(guess - 1) === guess && guess <= span.until) {
    const next = times.next(guess);
    if (next === undefined || next > span.until) return { due: [guess], before: (times.next(after) ?? guess) < guess };
  }
  let late = span.until;
  let found = dueBetween(times, span, limit);
  if (!found.more) return { due: found.due, before: false };
  let middle = span.until - ((found.due.at(-1) ?? span.until) - after);
  found = { due: [], more: false };
  while (late - after > 1 && found.due.length < limit) {
    if (middle <= after || middle >= late) middle = Math.floor((after + late) / 2);
    const rest = dueBetween(times, { after: middle, until: span.until }, limit);
    if (rest.more) after = middle;
    else [late, found] = [middle, rest];
    middle = Math.floor((after + late) / 2);
  }
  return { due: found.due, before: true };
}

/** How long the start at this due time is put off: the same for the same schedule and due time, anywhere. Milliseconds. */
export function jitterOf(name: string, due: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  // FNV-1a and a last mix (murmur3's): even, fast, and nobody's secret.
  let hash = 0x811c9dc5;
  for (const char of `${name} ${due}`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % (jitterMs + 1);
}
