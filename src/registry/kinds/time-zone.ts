/** A time zone that does not exist would make every time of a row unknown: it is refused when it is written. */
import { isTimeZone } from "../../model/cron.ts";
import { refuse } from "./rules.ts";

/** Throws definition_invalid at the pointer. `what` has it: `the schedule "nightly"`. */
export function checkTimeZone(what: string, { zone, pointer }: { zone: string; pointer: string }): void {
  if (isTimeZone(zone)) return;
  throw refuse(
    "definition_invalid",
    pointer,
    `Cannot store ${what}: time_zone must be the name of an IANA time zone; it is "${zone}"`,
    "such as UTC, Europe/Berlin or America/New_York",
  );
}
