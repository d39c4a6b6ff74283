/** Sets of values of one fact, as intervals: which there are, both, either, the others. Pure, and without a fact's name. */
import type { Comparison } from "../model/state-machines.ts";

/** From `least` to `most`, both of them in it or not. */
type Interval = { least: number; most: number; openLeast: boolean; openMost: boolean };
/** Intervals that do not touch, in rising order. Booleans are 0 and 1. */
export type Values = readonly Interval[];
/** `opaque`: what nothing is known of. */
export type Domain = { type: "integer" | "number" | "boolean" | "time" | "opaque"; least: number; most: number };

export function point(value: number): Interval {
  return span(value, value);
}

export function span(least: number, most: number, open: { openLeast?: boolean; openMost?: boolean } = {}): Interval {
  return { least, most, openLeast: open.openLeast ?? false, openMost: open.openMost ?? false };
}

/** Those for which the comparison holds. */
export function compare(op: Comparison, value: number, domain: Domain): Values {
  const whole = span(domain.least, domain.most, { openMost: domain.type === "time" });
  switch (op) {
    case "=":
      return tidy(intersect([point(value)], [whole]), domain);
    case "!=":
      return complement([point(value)], domain);
    case "<":
      return tidy(intersect([span(Number.NEGATIVE_INFINITY, value, { openMost: true })], [whole]), domain);
    case "<=":
      return tidy(intersect([span(Number.NEGATIVE_INFINITY, value)], [whole]), domain);
    case ">":
      return tidy(intersect([span(value, Number.POSITIVE_INFINITY, { openLeast: true })], [whole]), domain);
    case ">=":
      return tidy(intersect([span(value, Number.POSITIVE_INFINITY)], [whole]), domain);
  }
}

export function intersect(a: Values, b: Values): Values {
  const met: Interval[] = [];
  for (const one of a) {
    for (const other of b) {
      const least = Math.max(one.least, other.least);
      const most = Math.min(one.most, other.most);
      const openLeast = (one.least === least && one.openLeast) || (other.least === least && other.openLeast);
      const openMost = (one.most === most && one.openMost) || (other.most === most && other.openMost);
      if (least < most || (least === most && !openLeast && !openMost)) met.push({ least, most, openLeast, openMost });
    }
  }
  return met.toSorted((x, y) => x.least - y.least);
}

export function complement(values: Values, domain: Domain): Values {
  let rest: Values = [span(domain.least, domain.most, { openMost: domain.type === "time" })];
  for (const { least, most, openLeast, openMost } of values) {
    const outside = [
      span(Number.NEGATIVE_INFINITY, least, { openMost: !openLeast }),
      span(most, Number.POSITIVE_INFINITY, { openLeast: !openMost }),
    ];
    rest = intersect(rest, outside);
  }
  return tidy(rest, domain);
}

export function union(a: Values, b: Values, domain: Domain): Values {
  return complement(intersect(complement(a, domain), complement(b, domain)), domain);
}

/** In rising order, without those that touch. */
export function joined(values: Values): Values {
  const apart: Interval[] = [];
  for (const each of values) {
    const last = apart.at(-1);
    if (last === undefined || each.least > last.most) apart.push({ ...each });
    else if (each.most > last.most) Object.assign(last, { most: each.most, openMost: each.openMost });
  }
  return apart;
}

/** Whole numbers have no open ends, and those between two of them are none. */
function tidy(values: Values, { type }: Domain): Values {
  if (type !== "integer" && type !== "boolean" && type !== "opaque") return values;
  return values.flatMap(({ least, most, openLeast, openMost }) => {
    const from = openLeast && Number.isInteger(least) ? least + 1 : Math.ceil(least);
    const to = openMost && Number.isInteger(most) ? most - 1 : Math.floor(most);
    return from <= to ? [span(from, to)] : [];
  });
}

export function exampleOf(values: Values, { type }: Domain): number | boolean | string {
  const [first] = values;
  if (first === undefined) throw new TypeError("a set without a value has no example");
  const value = exampleIn(first);
  if (type === "boolean" || type === "opaque") return value === 1;
  if (type !== "time") return value;
  return `${String(Math.floor(value / 60)).padStart(2, "0")}:${String(Math.floor(value % 60)).padStart(2, "0")}`;
}

function exampleIn({ least, most, openLeast, openMost }: Interval): number {
  if (!openLeast && least !== Number.NEGATIVE_INFINITY) return least;
  if (!openMost && most !== Number.POSITIVE_INFINITY) return most;
  return most === Number.POSITIVE_INFINITY ? least + 1 : (least + most) / 2;
}
