/** When an expression would be due, told without a platform. */
import { SwitchyardError } from "../../src/core/errors.ts";
import { isTimeZone, parseCron } from "../../src/model/cron.ts";
import { twiceThatDay, wallClock } from "../../src/model/wall-clock.ts";

export type Preview = { due_at: string; local: string; note: string | null };

const NOTES = {
  moved: "put off: the clocks leave out the time that the expression names",
  first: "this time comes twice that day: the first time",
  second: "this time comes twice that day: the second time",
};

/** Throws usage. `from`: the due times after it. */
export function preview(expression: string, options: { timeZone: string; from: number; count: number }): Preview[] {
  const { timeZone, from, count } = options;
  if (!isTimeZone(timeZone)) {
    throw new SwitchyardError(
      "usage",
      `Cannot read --tz: it must be the name of an IANA time zone; it is "${timeZone}"`,
      {
        hint: "such as UTC, Europe/Berlin or America/New_York",
      },
    );
  }
  const parsed = parseCron(expression, timeZone);
  if (!parsed.ok) {
    const name = /^[a-z]\w*$/.test(expression);
    const hint = name ? `opctl describe schedule ${expression} shows when one that is stored is due next` : parsed.hint;
    throw new SwitchyardError(
      "usage",
      `Cannot read the expression "${expression}": ${parsed.rule}; it is ${parsed.is}`,
      hint === undefined ? {} : { hint },
    );
  }
  const found: Preview[] = [];
  const { times } = parsed;
  for (let at = times.next(from); at !== undefined && found.length < count; at = times.next(at)) {
    const mark = times.names(at) ? twiceThatDay(at, timeZone) : "moved";
    found.push({
      due_at: new Date(at).toISOString(),
      local: wallClock(at, timeZone),
      note: mark === undefined ? null : NOTES[mark],
    });
  }
  return found;
}
