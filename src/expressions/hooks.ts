/**
 * The places at which JSONata's evaluator lets us look on: before and after each node, and at each new scope. Between
 * them lie what it does without asking, and what that costs is charged here, by the kind of node and by its role.
 */
import type JSONata from "jsonata";
import { LIMITS } from "../core/limits.ts";
import {
  chargeBytes,
  chargeSteps,
  chargeString,
  chargeValue,
  exceed,
  isFunction,
  type Meter,
  pause,
  sizeOf,
} from "./meter.ts";
import { regexEngineFor } from "./regex-engine.ts";
import type { Node } from "./nodes.ts";

/** The evaluator's environment, as far as we rely on it; the tests fail when a version changes it. */
export type Scope = {
  lookup(name: string | symbol): unknown;
  readonly base: Base;
  nesting?: number;
};
/** One object for each evaluation. Ours: `meter`. */
type Base = { depth: number; RegexEngine: unknown; timestamp: Date; meter?: Meter };

/** What a built-in function is given for `this`. */
export type Focus = { environment?: Scope };

/** The name under which an evaluation's meter comes in. No variable can be written so. */
export const METER = "the meter";

export function watch(expression: JSONata.Expression): void {
  // The type says string, the documentation symbol.
  const assign = (name: string, hook: unknown) => expression.assign(Symbol.for(`jsonata.${name}`) as never, hook);
  assign("__evaluate_entry", enter);
  assign("__evaluate_exit", leave);
  assign("__createFrame_push", nest);
}

export function meterOf(scope: Scope | undefined): Meter | undefined {
  return scope?.base?.meter;
}

function enter(node: Node, input: unknown, scope: Scope): Promise<void> | undefined {
  const base = scope.base;
  let meter = base.meter;
  if (meter === undefined) {
    meter = scope.lookup(METER) as Meter;
    base.meter = meter;
    base.RegexEngine = regexEngineFor(meter);
  }
  // Names are looked up through all scopes, the hooks' own ones too.
  chargeSteps(meter, 1 + ((scope.nesting ?? 0) >> 5) + costOfEntering(meter, node, input));
  if (base.depth > LIMITS.expressionPending) {
    exceed(
      meter,
      `at most ${LIMITS.expressionPending} evaluations may wait for others`,
      "deeper (a recursion without an end?)",
    );
  }
  return meter.steps >= meter.nextLook ? pause(meter) : undefined;
}

function costOfEntering(meter: Meter, node: Node, input: unknown): number {
  switch (node.type) {
    case "name":
      return Array.isArray(input) ? spine(input) >> 4 : 0;
    case "wildcard":
      if (typeof input !== "object" || input === null) return 0;
      // Each array in it is joined to all before.
      return (sizeOf(meter, input) >> 7) + Math.ceil(squareOf(Object.keys(input).length) / 512);
    case "descendant":
      return sizeOf(meter, input) >> 7;
    case "unary": {
      // An object made of an array groups it, and each group is copied for each item that joins.
      if (node.value !== "{" || !Array.isArray(input)) return 0;
      return Math.ceil((squareOf(input.length) * (node["lhs"] as unknown[]).length) / 1_024);
    }
    default:
      return 0;
  }
}

function squareOf(count: number): number {
  return count * count;
}

/** How many items a look-up by name passes: it goes through arrays of arrays. */
function spine(items: readonly unknown[]): number {
  let count = items.length;
  for (const item of items) if (Array.isArray(item)) count += spine(item);
  return count;
}

function leave(node: Node, _input: unknown, scope: Scope, result: unknown): void {
  const meter = scope.base.meter as Meter;
  if (typeof result === "string") {
    if (node.type === "binary") chargeString(meter, result.length);
  } else if (typeof result === "object" && result !== null) {
    if (!isFunction(result)) chargeValue(meter, result);
    else if (node.type === "lambda" && node.thunk !== true) chargeBytes(meter, 512);
    else if (node.type === "partial") chargePartial(meter, result);
  } else if (typeof result === "function") {
    chargeSteps(meter, countWrappers(meter, result));
  }
  if (node.type === "unary" && node.value === "[" && Array.isArray(result)) {
    // It was copied for each item that joined.
    chargeSteps(meter, (result.length * (node["expressions"] as unknown[]).length) >> 10);
  }
  if (node.role !== undefined) chargeRole(meter, node, result);
}

/** For a built-in function JSONata runs its parser over a function that stands for it, and keeps the parser with it. */
function chargePartial(meter: Meter, result: object): void {
  if (typeof (result as { body?: unknown }).body !== "function") return chargeBytes(meter, 512);
  chargeSteps(meter, 50);
  chargeBytes(meter, 16 * 1_024);
}

/** A function that was handed on as an argument: JSONata wraps it, with the arity of what it wraps. */
export type Wrapper = { arity?: number; readonly length: number };

const WRAPPER = 1e-6;

/**
 * Wrappers inside one another cost time at each call, and no node is evaluated between them. The arity is all that a
 * wrapper takes over from what it wraps, so their number is told in its fraction, which no comparison of arities sees.
 */
function countWrappers(meter: Meter, wrapper: Wrapper): number {
  const known = meter.wrappers.get(wrapper);
  if (known !== undefined) return known;
  const count = wrappersOf(wrapper);
  if (count > LIMITS.expressionHandedOn) {
    exceed(meter, `a function may be handed on at most ${LIMITS.expressionHandedOn} times`, "handed on more often");
  }
  meter.wrappers.set(wrapper, count);
  wrapper.arity = (wrapper.arity ?? wrapper.length) + WRAPPER;
  return count;
}

/** Of a wrapper that has not been counted yet: how often it was handed on before. */
export function wrappersOf(wrapper: Wrapper): number {
  return Math.round(((wrapper.arity ?? 0) % 1) / WRAPPER);
}

/** A tuple is an object without a shape, which takes most room of all. */
const TUPLE_BYTES = 1_024;

function chargeRole(meter: Meter, node: Node, result: unknown): void {
  const items = Array.isArray(result) ? result.length : 1;
  switch (node.role) {
    case "walked":
      if (typeof result === "object" || typeof result === "string") chargeSteps(meter, sizeOf(meter, result) >> 6);
      return;
    case "scanned":
      chargeSteps(meter, items >> 5);
      return;
    case "sorted":
      meter.sorted += items;
      if (meter.sorted > LIMITS.expressionSorted) {
        exceed(
          meter,
          `its order-by clauses may take at most ${LIMITS.expressionSorted} items in all`,
          "more ($sort takes more)",
        );
      }
      chargeBytes(meter, TUPLE_BYTES * items);
      return;
    case "tupled":
      chargeBytes(meter, TUPLE_BYTES * items);
      return;
    case "copied":
      chargeBytes(meter, 8 * items);
      return;
    case "key":
      // JSONata copies a group for each item that joins it, and all of them may join one.
      meter.grouped++;
      chargeSteps(meter, meter.grouped >> 10);
      return;
    case "tupleKey":
      meter.grouped++;
      chargeSteps(meter, meter.grouped >> 6);
      return;
    case "update":
      // What it is written into grows without being made anew: all sizes are taken again.
      meter.sizes = new WeakMap();
      if (typeof result !== "object" || result === null) return;
      chargeSteps(meter, Object.keys(result).length >> 4);
      chargeBytes(meter, 48 * Object.keys(result).length);
      return;
    case undefined:
      return;
  }
}

function nest(outer: Scope, inner: Scope): void {
  const nesting = (outer.nesting ?? 0) + 1;
  inner.nesting = nesting;
  const meter = meterOf(outer);
  if (meter !== undefined && nesting > LIMITS.expressionScopes) {
    exceed(meter, `scopes may nest at most ${LIMITS.expressionScopes} deep`, "nested deeper");
  }
}
