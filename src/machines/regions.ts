/**
 * Requirements as regions: for which facts one holds. A region is a list of boxes, and a box gives each fact it speaks of a set
 * of values; with that it can be said whether two requirements can hold together, and an example be given. What asks an
 * operation or an expression may be either, whatever else is so.
 */
import { canonicalJson } from "../core/hash.ts";
import { FACTS, type Comparison, type Fact, type Leaf, type Requirement } from "../model/state-machines.ts";

/** From `least` to `most`, both of them in it or not. */
type Interval = { least: number; most: number; openLeast: boolean; openMost: boolean };
/** Intervals that do not touch, in rising order. Booleans are 0 and 1. */
type Values = readonly Interval[];
/** `opaque`: what nothing is known of. */
type Domain = { type: "integer" | "number" | "boolean" | "time" | "opaque"; least: number; most: number };
export type Box = ReadonlyMap<string, Values>;
export type Region = readonly Box[];

/** Facts for which something holds, one value each. */
export type Witness = Record<string, number | boolean | string>;

/** Of one region. Whoever may write a state machine must not be able to keep the platform busy with it. */
const MOST_BOXES = 64;
/** Boxes that are held against each other, over all questions of one analysis, until it is too much. */
export type Look = { left: number };

/** undefined: too large to be told apart. */
export function regionOf(requirement: Requirement, holds = true): Region | undefined {
  if ("not" in requirement) return regionOf(requirement.not, !holds);
  if ("all" in requirement || "any" in requirement) {
    const parts = "all" in requirement ? requirement.all : requirement.any;
    const regions = parts.map((part) => regionOf(part, holds));
    if (regions.some((region) => region === undefined)) return undefined;
    const known = regions as Region[];
    // Not all of them is one of them not, and the other way round.
    return "all" in requirement === holds ? bothAll(known) : bounded(known.flat());
  }
  const { key, values } = leafOf(requirement);
  const set = holds ? values : complement(values, domainOf(key));
  return set.length === 0 ? [] : [new Map([[key, set]])];
}

/** As both(), at the expense of the look; undefined also where nothing is left of it. */
export function bothWithin(look: Look, a: Region, b: Region): Region | undefined {
  look.left -= 1 + a.length * b.length;
  return look.left < 0 ? undefined : both(a, b);
}

/** Where both hold; undefined: too large. */
export function both(a: Region, b: Region): Region | undefined {
  const boxes: Box[] = [];
  for (const one of a) {
    for (const other of b) {
      const box = meet(one, other);
      if (box !== undefined) boxes.push(box);
      if (boxes.length > MOST_BOXES) return undefined;
    }
  }
  return boxes;
}

export const EVERYWHERE: Region = [new Map()];

function bothAll(regions: readonly Region[]): Region | undefined {
  let met: Region | undefined = EVERYWHERE;
  for (const region of regions) met = met === undefined ? undefined : both(met, region);
  return met;
}

/** Those that speak of one fact alone, and of the same, are one box. */
function bounded(region: Region): Region | undefined {
  const alone = new Map<string, Values>();
  const boxes: Box[] = [];
  for (const box of region) {
    const [first] = box;
    if (first === undefined || box.size > 1) boxes.push(box);
    else alone.set(first[0], union(first[0], alone.get(first[0]) ?? [], first[1]));
  }
  for (const [key, values] of alone) boxes.push(new Map([[key, values]]));
  return boxes.length > MOST_BOXES ? undefined : boxes;
}

function union(key: string, a: Values, b: Values): Values {
  const domain = domainOf(key);
  return complement(intersect(complement(a, domain), complement(b, domain)), domain);
}

/** Whether a region needs to know what nothing is known of. */
export function isOpaque(region: Region): boolean {
  return region.some((box) => [...box.keys()].some((key) => domainOf(key).type === "opaque"));
}

/** Facts for which it holds; undefined: there are none. Prefers a box without what is not known. */
export function witnessOf(region: Region): Witness | undefined {
  const box = region.find((each) => !isOpaque([each])) ?? region[0];
  if (box === undefined) return undefined;
  return Object.fromEntries([...box].map(([key, values]) => [key, exampleOf(key, values)]));
}

function meet(a: Box, b: Box): Box | undefined {
  const box = new Map(a);
  for (const [key, values] of b) {
    const own = box.get(key);
    const met = own === undefined ? values : intersect(own, values);
    if (met.length === 0) return undefined;
    box.set(key, met);
  }
  return isPossible(box) ? box : undefined;
}

type Test = readonly [fact: string, side: "above" | "below", bound: number];

/**
 * Facts hang together: who waits is not idle, after ten idle seconds there was no request in the last ten, and what runs beside
 * those that serve is a new revision.
 */
const EXCLUDE: readonly (readonly [Test, Test])[] = [
  [
    ["idle_seconds", "above", 0],
    ["waiting", "above", 0],
  ],
  [
    ["idle_seconds", "above", 10],
    ["requests_per_second", "above", 0],
  ],
  [
    ["candidate_healthy", "above", 0],
    ["new_revision", "below", 1],
  ],
];

function isPossible(box: Box): boolean {
  return !EXCLUDE.some((tests) => tests.every((test) => isAll(box, test)));
}

/** Whether every value of the fact is there. */
function isAll(box: Box, [fact, side, bound]: Test): boolean {
  const values = box.get(fact);
  if (values === undefined) return false;
  if (side === "above") {
    const [first] = values;
    return first !== undefined && (first.least > bound || (first.least === bound && first.openLeast));
  }
  const last = values.at(-1);
  return last !== undefined && (last.most < bound || (last.most === bound && last.openMost));
}

/** Where it holds once something has been added to a fact: up to so much, or as much taken away. */
export function shifted(region: Region, { fact, by }: { fact: Fact; by: number }): Region {
  const domain = domainOf(fact);
  const whole = [span(domain.least, domain.most)];
  return region.map((box) => {
    // What says nothing of a fact leaves it all that it can be.
    const moved = (box.get(fact) ?? whole).map(({ least, most, openLeast, openMost }) =>
      span(least - Math.max(0, by), most - Math.min(0, by), { openLeast, openMost }),
    );
    return new Map([...box, [fact, joined(intersect(moved, whole))] as const]);
  });
}

/** In rising order, without those that touch. */
function joined(values: Values): Values {
  const apart: Interval[] = [];
  for (const each of values) {
    const last = apart.at(-1);
    if (last === undefined || each.least > last.most) apart.push({ ...each });
    else if (each.most > last.most) Object.assign(last, { most: each.most, openMost: each.openMost });
  }
  return apart;
}

/** Two leaves about the same have the same key. */
function leafOf(leaf: Leaf): { key: string; values: Values } {
  if ("operation" in leaf)
    return { key: `operation ${leaf.operation} ${canonicalJson(leaf.input)}`, values: [point(1)] };
  if ("expression" in leaf) return { key: `expression ${leaf.expression}`, values: [point(1)] };
  if ("between" in leaf) {
    const [from, until] = leaf.between.map(minutesOf) as [number, number];
    const key = leaf.time_zone === "UTC" ? leaf.fact : `${leaf.fact} ${leaf.time_zone}`;
    if (from === until) return { key, values: [span(0, 1440, { openMost: true })] };
    if (from < until) return { key, values: [span(from, until, { openMost: true })] };
    const late = span(from, 1440, { openMost: true });
    return { key, values: until === 0 ? [late] : [span(0, until, { openMost: true }), late] };
  }
  const domain = domainOf(leaf.fact);
  return { key: leaf.fact, values: compare(leaf.op, numberOf(leaf.value), domain) };
}

function compare(op: Comparison, value: number, domain: Domain): Values {
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

export function numberOf(value: number | boolean | string): number {
  return typeof value === "string" ? minutesOf(value) : Number(value);
}

function minutesOf(time: string): number {
  const [hours, minutes] = time.split(":").map(Number) as [number, number];
  return 60 * hours + minutes;
}

function domainOf(key: string): Domain {
  const name = key.split(" ")[0] ?? key;
  const fact = Object.hasOwn(FACTS, name) ? FACTS[name as Fact] : undefined;
  if (fact === undefined) return { type: "opaque", least: 0, most: 1 };
  return "least" in fact ? fact : { type: "boolean", least: 0, most: 1 };
}

function point(value: number): Interval {
  return span(value, value);
}

function span(least: number, most: number, open: { openLeast?: boolean; openMost?: boolean } = {}): Interval {
  return { least, most, openLeast: open.openLeast ?? false, openMost: open.openMost ?? false };
}

function intersect(a: Values, b: Values): Values {
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

function complement(values: Values, domain: Domain): Values {
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

/** Whole numbers have no open ends, and those between two of them are none. */
function tidy(values: Values, { type }: Domain): Values {
  if (type !== "integer" && type !== "boolean" && type !== "opaque") return values;
  return values.flatMap(({ least, most, openLeast, openMost }) => {
    const from = openLeast && Number.isInteger(least) ? least + 1 : Math.ceil(least);
    const to = openMost && Number.isInteger(most) ? most - 1 : Math.floor(most);
    return from <= to ? [span(from, to)] : [];
  });
}

function exampleOf(key: string, values: Values): number | boolean | string {
  const { type } = domainOf(key);
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
