/**
 * Requirements as regions: for which facts one holds. A region is a list of boxes, and a box gives each fact it speaks of a set
 * of values; with that it can be said whether two requirements can hold together, and an example be given. What asks an
 * operation or an expression may be either, whatever else is so.
 */
import { canonicalJson } from "../core/hash.ts";
import { FACTS, type Fact, type Leaf, type Requirement } from "../model/state-machines.ts";
import {
  compare,
  complement,
  exampleOf,
  intersect,
  joined,
  point,
  span,
  union,
  type Domain,
  type Values,
} from "./_values.ts";

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
    else alone.set(first[0], union(alone.get(first[0]) ?? [], first[1], domainOf(first[0])));
  }
  for (const [key, values] of alone) boxes.push(new Map([[key, values]]));
  return boxes.length > MOST_BOXES ? undefined : boxes;
}

/** Whether a region needs to know what nothing is known of. */
export function isOpaque(region: Region): boolean {
  return region.some((box) => [...box.keys()].some((key) => domainOf(key).type === "opaque"));
}

/** Facts for which it holds; undefined: there are none. Prefers a box without what is not known. */
export function witnessOf(region: Region): Witness | undefined {
  const box = region.find((each) => !isOpaque([each])) ?? region[0];
  if (box === undefined) return undefined;
  return Object.fromEntries([...box].map(([key, values]) => [key, exampleOf(values, domainOf(key))]));
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
