/** What clocks on the wall of a time zone show at an instant, and whether they show it twice that day. */

const formats = new Map<string, Intl.DateTimeFormat>();

const digits = (value: number): string => String(value).padStart(2, "0");

/** `2026-03-29T02:30:00+01:00`. */
export function wallClock(at: number, timeZone: string): string {
  const offset = offsetOf(at, timeZone);
  const minutes = Math.abs(Math.round(offset / 60_000));
  const sign = offset < 0 ? "-" : "+";
  return `${new Date(at + offset).toISOString().slice(0, 19)}${sign}${digits(Math.floor(minutes / 60))}:${digits(minutes % 60)}`;
}

/** Which of the two it is, where the same time of the day comes before clocks are put back and again after. */
export function twiceThatDay(at: number, timeZone: string): "first" | "second" | undefined {
  const HALF_DAY_MS = 12 * 60 * 60_000;
  const here = offsetOf(at, timeZone);
  for (const way of [-HALF_DAY_MS, HALF_DAY_MS]) {
    const there = offsetOf(at + way, timeZone);
    const other = at + here - there;
    if (other !== at && offsetOf(other, timeZone) === there) return other > at ? "first" : "second";
  }
  return undefined;
}

/** Milliseconds that the zone is ahead of UTC. */
function offsetOf(at: number, timeZone: string): number {
  const seconds = Math.floor(at / 1000) * 1000;
  const fields = Object.fromEntries(
    format(timeZone)
      .formatToParts(seconds)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  return Date.UTC(year, month - 1, day, hour, minute, second) - seconds;
}

function format(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  formats.set(timeZone, made);
  return made;
}
