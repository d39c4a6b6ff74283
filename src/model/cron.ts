/**
 * Cron expressions: five fields, or six with seconds first, read and stepped through by croner. What is added here: which
 * field is wrong and what it may be, and that an expression which fits no date at all is refused.
 *
 * Where clocks are changed: an expression whose second, minute and hour are fixed (no `*`, no step) happens once a day as
 * written. Its times in the hour that is left out come together at the first instant after it; in the hour that comes twice
 * they count the first time only. Any other follows the time that passes: it has no times in an hour that is left out, and
 * has those of an hour that comes twice both times. (Vixie cron's rule, less its limit of three hours.)
 */
import { Cron } from "croner";

export type DueTimes = {
  /** The first after the instant; undefined when there is none. Milliseconds since the epoch. */
  next(after: number): number | undefined;
  /** A guess at the last that is not after the instant, where that is cheaper than stepping there. */
  guessLast?(until: number): number | undefined;
  /** Due times after the one instant and not after the other; `more`: it did not count on. */
  count(after: number, until: number): { count: number; more: boolean };
  /** Whether the wall clock at the instant is one that was written, and it is not due only because clocks were changed. */
  names(at: number): boolean;
};
export type ParsedCron = { ok: true; times: DueTimes } | { ok: false; rule: string; is: string; hint?: string };

const FIELDS = [
  { name: "second", may: "0-59" },
  { name: "minute", may: "0-59" },
  { name: "hour", may: "0-23" },
  { name: "day of the month", may: "1-31, L (the last), 15W (the weekday nearest the 15th) or LW" },
  { name: "month", may: "1-12 or JAN-DEC" },
  { name: "day of the week", may: "0-7 or SUN-SAT (0 and 7 are Sunday), FRI#2 (the second) or FRIL (the last)" },
] as const;

const EXAMPLES = `"0 2 * * *" is 02:00 every day, "*/15 * * * *" every quarter of an hour, "@daily" midnight`;
const NICKNAMES = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"]);
/** So many due times are counted by stepping through them, and not all. */
const COUNTED = 20;
/** Due times of an expression that are remembered. */
const SPANS = 4;
/** From here on a pattern without a year either has a date or never has one. */
const ANY_TIME = Date.UTC(2024, 0, 1);

/** A name that Intl knows, such as Europe/Berlin; offsets such as +02:00 are none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** The zone must be one (isTimeZone). */
export function parseCron(expression: string, timeZone: string): ParsedCron {
  const text = expression.trim().replaceAll(/\s+/g, " ");
  const wrong = text.startsWith("@") ? wrongNickname(text) : wrongField(text);
  if (wrong !== undefined) return { ok: false, ...wrong };
  const times = open(text, timeZone);
  if (times.next(ANY_TIME) !== undefined) return { ok: true, times };
  return {
    ok: false,
    rule: "some date must fit it",
    is: "one that comes in no year",
    hint: "30 February is such a date",
  };
}

function open(pattern: string, timezone: string): DueTimes {
  const cron = new Cron(pattern, { timezone, paused: true, mode: "5-or-6-parts", fixedTimeRule: "no-wildcard" });
  // To step takes a tenth of a millisecond, and thousands of schedules share an expression: what was found for an instant holds
  // for all up to the due time. Whoever decides asks for this due time and for the next.
  const spans: { from: number; until: number }[] = [];
  return {
    next(after) {
      const known = spans.find(({ from, until }) => after >= from && after < until);
      if (known !== undefined) return known.until;
      const until = cron.nextRun(new Date(after))?.getTime();
      if (until === undefined) return undefined;
      const wider = spans.find((span) => span.until === until);
      if (wider !== undefined) wider.from = Math.min(wider.from, after);
      else if (spans.push({ from: after, until }) > SPANS) spans.shift();
      return until;
    },
    guessLast: (until) => cron.previousRuns(1, new Date(until + 1))[0]?.getTime(),
    count(after, until) {
      let count = 0;
      for (let at = this.next(after); at !== undefined && at <= until; at = this.next(at)) {
        if (count === COUNTED) return { count, more: true };
        count += 1;
      }
      return { count, more: false };
    },
    names: (at) => cron.match(new Date(at)),
  };
}

type Wrong = { rule: string; is: string; hint?: string };

function wrongNickname(text: string): Wrong | undefined {
  if (NICKNAMES.has(text.toLowerCase())) return undefined;
  return {
    rule: `a name must be one of ${[...NICKNAMES].join(", ")}`,
    is: text,
    hint: text.startsWith("@every") ? "for an interval leave cron out and set every_ms, such as 300000" : EXAMPLES,
  };
}

function wrongField(text: string): Wrong | undefined {
  const parts = text === "" ? [] : text.split(" ");
  if (parts.length !== 5 && parts.length !== 6) {
    const rule = "it must have five fields (minute hour day month weekday), or six with the second first";
    return { rule, is: `${parts.length} field${parts.length === 1 ? "" : "s"}`, hint: EXAMPLES };
  }
  const shift = 6 - parts.length;
  for (const [place, part] of parts.entries()) {
    const field = FIELDS[place + shift];
    if (field === undefined || reads(part, place, parts.length)) continue;
    return {
      rule: `field ${place + 1}, the ${field.name}, must be *, or of ${field.may}: one, a list (1,5), a range (1-5) or with a step (*/5, 1-5/2)`,
      is: JSON.stringify(part),
      hint: part.startsWith("H") ? "to spread starts set jitter_ms" : EXAMPLES,
    };
  }
  return undefined;
}

/** The part in its place, with all others open: so that one is to blame. */
function reads(part: string, place: number, count: number): boolean {
  const alone = Array.from({ length: count }, (_, other) => (other === place ? part : "*")).join(" ");
  try {
    void new Cron(alone, { paused: true, mode: "5-or-6-parts" });
    return true;
  } catch {
    return false;
  }
}
