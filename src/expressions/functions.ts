/**
 * JSONata's built-in functions, each behind a guard that charges for what it is given and for what it answers, and
 * refuses beforehand what would be too much before it was there. What JSONata's own code does at a cost or in a way
 * that no guard can mend is replaced: see own-functions.ts.
 */
import type JSONata from "jsonata";
import { BEFORE } from "./beforehand.ts";
import { type Focus, meterOf, wrappersOf } from "./hooks.ts";
import { chargeSteps, chargeString, chargeValue, isFunction, type Meter, sizeOf } from "./meter.ts";
import { OWN } from "./own-functions.ts";

type Implementation = (this: Focus, ...args: unknown[]) => unknown;
type Definition = { _jsonata_function: true; implementation: Implementation; signature?: unknown };

/** All that JSONata 2.2 binds, but for what syntax.ts refuses; a test holds it to the library's source. */
export const GUARDED = [
  "sum",
  "count",
  "max",
  "min",
  "average",
  "string",
  "substring",
  "substringBefore",
  "substringAfter",
  "lowercase",
  "uppercase",
  "length",
  "trim",
  "pad",
  "match",
  "contains",
  "replace",
  "split",
  "join",
  "formatNumber",
  "formatBase",
  "formatInteger",
  "parseInteger",
  "number",
  "floor",
  "ceil",
  "round",
  "abs",
  "sqrt",
  "power",
  "boolean",
  "not",
  "map",
  "zip",
  "filter",
  "single",
  "reduce",
  "sift",
  "keys",
  "lookup",
  "append",
  "exists",
  "spread",
  "merge",
  "reverse",
  "each",
  "error",
  "assert",
  "type",
  "sort",
  "distinct",
  "base64encode",
  "base64decode",
  "encodeUrlComponent",
  "encodeUrl",
  "decodeUrlComponent",
  "decodeUrl",
  "toMillis",
  "fromMillis",
  "clone",
] as const;
export const UNAVAILABLE = ["eval", "random", "shuffle"] as const;

/** Those that go through all of their arguments, however deep. The others look at the top. */
const DEEP = new Set<string>(["string", "clone", "boolean", "not", "keys", "spread", "merge", "distinct"]);

/** Binds every built-in function anew for `expression`. */
export function guardFunctions(expression: JSONata.Expression, definitions: ReadonlyMap<string, Definition>): void {
  for (const [name, definition] of definitions) expression.assign(name, definition);
}

/** JSONata's own definitions, which only a function that runs inside it can look up, each guarded. Done once. */
export async function guardedDefinitions(jsonata: typeof JSONata): Promise<ReadonlyMap<string, Definition>> {
  const definitions = new Map<string, Definition>();
  const probe = jsonata("$probe()");
  probe.registerFunction("probe", function (this: { environment: JSONata.Environment }) {
    for (const name of GUARDED) definitions.set(name, guard(name, this.environment.lookup(name) as Definition));
    for (const name of ["now", "millis"]) {
      definitions.set(name, guard(name, this.environment.lookup(name) as Definition));
    }
    const { implementation: fromMillis } = this.environment.lookup("fromMillis") as Definition;
    // JSONata's own ones would tell the time of another evaluation of the same expression that began in between.
    replace(definitions, "now", function (picture, timezone) {
      return fromMillis.call(this, this.environment?.base.timestamp.getTime(), picture, timezone);
    });
    replace(definitions, "millis", function () {
      return this.environment?.base.timestamp.getTime();
    });
  });
  await probe.evaluate(null);
  return definitions;
}

function replace(definitions: Map<string, Definition>, name: string, implementation: Implementation): void {
  definitions.set(name, guard(name, { ...(definitions.get(name) as Definition), implementation }));
}

function guard(name: string, definition: Definition): Definition {
  const original = definition.implementation;
  const implementation = OWN[name] ?? original;
  const before = BEFORE[name];
  const deep = DEEP.has(name);
  const guarded: Implementation = function (...args) {
    const meter = meterOf(this?.environment);
    // Called as plain JavaScript, with data for `this`: only by something that should not have got hold of it.
    if (meter === undefined) throw new TypeError(`$${name} was called out of its place`);
    let steps = 1;
    for (const arg of args) steps += costOf(meter, arg, deep);
    // It calls each of its functions for each item, and JSONata's wrappers around one have no node of their own.
    for (const arg of args) {
      if (typeof arg === "function" && Array.isArray(args[0])) steps += wrappersOf(arg) * args[0].length;
    }
    chargeSteps(meter, steps);
    before?.(meter, args);
    const result = implementation.apply(this, args);
    if (result instanceof Promise) return result.then((value: unknown) => settle(meter, value));
    return settle(meter, result);
  };
  // JSONata reads both: how many arguments to hand over, and for `$f(?, 1)` their names out of the source text.
  Object.defineProperty(guarded, "length", { value: original.length });
  // It stumbles over its own defaults there.
  Object.defineProperty(guarded, "toString", { value: () => original.toString().replace(/ = \w+/, "") });
  return { ...definition, implementation: guarded };
}

function costOf(meter: Meter, arg: unknown, deep: boolean): number {
  // Some make an array of all characters.
  if (typeof arg === "string") return arg.length >> 4;
  if (typeof arg !== "object" || arg === null || isFunction(arg)) return 0;
  if (deep) return sizeOf(meter, arg) >> 6;
  return (Array.isArray(arg) ? arg.length : Object.keys(arg).length) >> 4;
}

function settle(meter: Meter, value: unknown): unknown {
  if (typeof value === "string") chargeString(meter, value.length);
  else if (typeof value === "object" && value !== null && !isFunction(value)) chargeValue(meter, value);
  return value;
}
