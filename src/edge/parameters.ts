/** Query parameters: each known, given once, and within its rule, or the request is refused with that rule. */
import { didYouMean } from "../core/did-you-mean.ts";
import { SwitchyardError } from "../core/errors.ts";
import { NAME_PATTERN } from "../model/names.ts";
import type { RouteContext } from "./context.ts";

/** The parameters by name. One that is unknown is refused: a condition passed over would show what was not asked for. */
export function queryOf<const Name extends string>(
  context: RouteContext,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  const query: Partial<Record<Name, string>> = {};
  for (const [name, values] of Object.entries(context.req.queries())) {
    if (!(known as readonly string[]).includes(name)) {
      const near = didYouMean(name, known);
      throw new SwitchyardError(
        "bad_request",
        `Cannot read the parameter "${name.slice(0, 100)}": it must be one of ${known.join(", ")}`,
        near === undefined ? {} : { hint: `did you mean ${near}?` },
      );
    }
    if (values.length > 1) throw outside(name, "be given once", `there ${values.length} times`);
    query[name as Name] = values[0];
  }
  return query;
}

export function integerOf(text: string, name: string, { min, max }: { min: number; max: number }): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw outside(name, `be a whole number from ${min} to ${max}`, quoted(text));
}

export function operationNameOf(text: string, name: string): string {
  return matching(text, name, { pattern: NAME_PATTERN, rule: "be an operation's name" });
}

export function oneOf<const Value extends string>(text: string, name: string, values: readonly Value[]): Value {
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw outside(name, `be one of ${values.join(", ")}`, quoted(text));
}

export function matching(text: string, name: string, { pattern, rule }: { pattern: RegExp; rule: string }): string {
  if (pattern.test(text)) return text;
  throw outside(name, rule, quoted(text));
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;

/** A moment, as RFC 3339 or as milliseconds since the epoch. Answers milliseconds. */
export function timeOf(text: string, name: string): number {
  const ms = /^[0-9]{1,15}$/.test(text) ? Number(text) : RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw outside(name, "be a time like 2026-11-22T09:30:00Z, or milliseconds since 1970", quoted(text));
}

function outside(name: string, rule: string, actual: string): SwitchyardError {
  return new SwitchyardError("bad_request", `Cannot read the parameter ${name}: it must ${rule}; it is ${actual}`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
