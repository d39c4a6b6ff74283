/**
 * Whether a requirement holds now. A fact that is not known makes it neither true nor false (Kleene's logic): nothing is moved
 * by what nobody knows. Each part says what it found, for whoever asks why.
 */
import type { Comparison, Fact, Requirement } from "../model/state-machines.ts";
import { numberOf } from "./regions.ts";

/** Those that are known. Time of day by the clock. */
export type Facts = Partial<Record<Exclude<Fact, "time_of_day">, number | boolean>> & {
  /** Milliseconds since the epoch. */
  readonly now: number;
};

/** What nothing but asking tells; undefined when there is no answer. */
export type Ask = (
  leaf: { operation: string; input: Record<string, unknown> } | { expression: string },
) => Promise<boolean | undefined>;

export type Verdict = {
  /** undefined: not known. */
  readonly holds: boolean | undefined;
  /** As a sentence's end: `waiting > 0: it is 3`. */
  readonly because: readonly string[];
};

export async function evaluate(requirement: Requirement, facts: Facts, ask: Ask): Promise<Verdict> {
  if ("not" in requirement) {
    const { holds, because } = await evaluate(requirement.not, facts, ask);
    return { holds: holds === undefined ? undefined : !holds, because };
  }
  if ("all" in requirement) return combine(requirement.all, false, { facts, ask });
  if ("any" in requirement) return combine(requirement.any, true, { facts, ask });
  if ("operation" in requirement || "expression" in requirement) {
    const holds = await ask(requirement);
    const what = "operation" in requirement ? requirement.operation : requirement.expression;
    return {
      holds,
      because: [`${what}: ${holds === undefined ? "there is no answer" : `it says ${String(holds)}`}`],
    };
  }
  if ("between" in requirement) {
    const { between, time_zone: zone } = requirement;
    const [from, until] = between.map(numberOf) as [number, number];
    const time = minutesIn(facts.now, zone);
    const said = `time_of_day between ${between.join(" and ")} (${zone})`;
    if (time === undefined) return { holds: undefined, because: [`${said}: no time zone has that name`] };
    const holds = from <= until ? from === until || (time >= from && time < until) : time >= from || time < until;
    return { holds, because: [`${said}: it is ${clock(time)}`] };
  }
  const { fact, op, value } = requirement;
  const actual = fact === "time_of_day" ? minutesIn(facts.now, "UTC") : facts[fact];
  const said = `${fact} ${op} ${String(value)}`;
  if (actual === undefined) return { holds: undefined, because: [`${said}: it is not known`] };
  const shown = fact === "time_of_day" ? clock(Number(actual)) : String(actual);
  return { holds: compares(op, Number(actual), numberOf(value)), because: [`${said}: it is ${shown}`] };
}

/** Of something that was so when it was decided: `waiting > 0: it was 3`. */
export function inThePast(because: string): string {
  const end = /: (?:it is (?=\S+$|not known$)|it says (?=true$|false$)|there is (?=no answer$))/.exec(because);
  if (end === null) return because;
  const words = end[0].replace("says", "said").replace(" is ", " was ");
  return `${because.slice(0, end.index)}${words}${because.slice(end.index + end[0].length)}`;
}

/** `decisive`: the answer of one part that decides the whole. */
async function combine(
  parts: readonly Requirement[],
  decisive: boolean,
  { facts, ask }: { facts: Facts; ask: Ask },
): Promise<Verdict> {
  const because: string[] = [];
  let holds: boolean | undefined = !decisive;
  // One after another: what is asked of an operation is not asked when the facts have decided.
  for (const part of parts) {
    const verdict = await evaluate(part, facts, ask);
    if (verdict.holds === decisive) return { holds: decisive, because: verdict.because };
    because.push(...verdict.because);
    if (verdict.holds === undefined) holds = undefined;
  }
  return { holds, because };
}

const TESTS: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

export function compares(op: Comparison, a: number, b: number): boolean {
  return TESTS[op](a, b);
}

/** Making one takes far longer than using it. */
const FORMATS = new Map<string, Intl.DateTimeFormat | undefined>();
const MOST_FORMATS = 1_000;

function formatIn(zone: string): Intl.DateTimeFormat | undefined {
  if (FORMATS.has(zone)) return FORMATS.get(zone);
  if (FORMATS.size >= MOST_FORMATS) FORMATS.clear();
  let format: Intl.DateTimeFormat | undefined;
  try {
    format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  } catch {
    format = undefined;
  }
  FORMATS.set(zone, format);
  return format;
}

/** Of the day; undefined where no time zone has that name. */
export function minutesIn(now: number, zone: string): number | undefined {
  const format = formatIn(zone);
  return format === undefined ? undefined : numberOf(format.format(now));
}

function clock(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}
