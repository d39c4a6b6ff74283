/** An option that holds a moment. */
import { SwitchyardError } from "../../src/core/errors.ts";

/** Milliseconds since the epoch. Throws usage. */
export function parseTime(option: string, text: string): number {
  const at = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/i.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new SwitchyardError(
    "usage",
    `Cannot read ${option}: it must be a time such as 2026-03-28T12:00:00Z; it is "${text}"`,
  );
}
