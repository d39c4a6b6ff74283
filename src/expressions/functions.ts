/**
 * JSONata's built-in functions, each behind a guard that charges for what it is given and for what it answers, and
 * refuses beforehand what would be too much before it was there. What JSONata's own code does at a cost or in a way
 * that no guard can mend is replaced: see own-functions.ts.
 */
import type JSONata from "jsonata";
import { type Focus, meterOf } from "./hooks.ts";
import {
  chargeSteps,
  chargeString,
  chargeValue,
  exceed,
  isFunction,
  type Meter,
  refuseValue,
  sizeOf,
} from "./meter.ts";
import { OWN } from "./own-functions.ts";
import { isDefinitePicture } from "./pictures.ts";

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
const DEEP = new Set<string>([
  "string",
  "clone",
  "boolean",
  "not",
  "keys",
  "spread",
  "merge",
  "distinct",
  "lookup",
  "filter",
]);

/** What must be refused before it is done, because afterwards it would have been done. */
const BEFORE: Readonly<Record<string, (meter: Meter, args: readonly unknown[]) => void>> = {
  pad: (meter, [text, width, fill]) => {
    if (typeof text !== "string") return;
    const chars = Math.abs(Number(width)) * (typeof fill === "string" && fill.length > 1 ? fill.length : 1);
    chargeString(meter, chars);
    chargeSteps(meter, chars >> 5);
  },
  join: (meter, [items, separator]) => {
    if (!Array.isArray(items)) return;
    chargeString(meter, sizeOf(meter, items) + items.length * (typeof separator === "string" ? separator.length : 0));
  },
  replace: (meter, [text, pattern, replacement]) => {
    if (typeof text !== "string" || typeof pattern !== "string" || typeof replacement !== "string") return;
    chargeString(meter, text.length + (text.length / Math.max(1, pattern.length)) * replacement.length);
  },
  split: (meter, [text, separator]) => {
    if (typeof text === "string" && separator === "") chargeSteps(meter, text.length >> 3);
  },
  formatNumber: (meter, [, picture, options]) => limitPicture(meter, picture, options),
  formatInteger: (meter, [value, picture]) => {
    limitPicture(meter, picture);
    // Roman numerals have an M for each thousand.
    if (typeof value === "number" && Math.abs(value) > 1e6 && /^[iI]/.test(String(picture))) {
      exceed(meter, "a number written in letters must be within ±1000000", String(value));
    }
  },
  parseInteger: (meter, [, picture]) => limitPicture(meter, picture),
  fromMillis: (meter, [, picture]) => limitPicture(meter, picture),
  toMillis: (meter, [text, picture]) => {
    limitPicture(meter, picture, text);
    if (typeof picture === "string" && !isDefinitePicture(picture)) {
      refuseValue(meter, "a picture of a time must say where each part ends", JSON.stringify(picture.slice(0, 60)));
    }
  },
  distinct: (meter, [items]) => {
    // It compares each with each.
    if (Array.isArray(items)) chargeSteps(meter, (items.length * items.length) >> 6);
  },
  spread: (meter, [value]) => {
    if (Array.isArray(value)) chargeSteps(meter, (value.length * value.length) >> 6);
    // It takes a function apart, down to the code that it is made of.
    if (isFunction(value)) refuseValue(meter, "$spread takes objects", "a function");
  },
};

const PICTURE_CHARS = 200;

function limitPicture(meter: Meter, ...texts: readonly unknown[]): void {
  for (const text of texts) {
    const chars = text === undefined ? 0 : sizeOf(meter, text);
    if (chars > PICTURE_CHARS) exceed(meter, `a picture may have at most ${PICTURE_CHARS} characters`, String(chars));
  }
}

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
    chargeSteps(meter, steps);
    before?.(meter, args);
    const result = implementation.apply(this, args);
    if (result instanceof Promise) return result.then((value: unknown) => settle(meter, value));
    return settle(meter, result);
  };
  // JSONata reads both: how many arguments to hand over, and for `$f(?, 1)` their names out of the source text.
  Object.defineProperty(guarded, "length", { value: original.length });
  Object.defineProperty(guarded, "toString", { value: () => original.toString() });
  return { ...definition, implementation: guarded };
}

function costOf(meter: Meter, arg: unknown, deep: boolean): number {
  if (typeof arg === "string") return arg.length >> 5;
  if (typeof arg !== "object" || arg === null || isFunction(arg)) return 0;
  if (deep) return sizeOf(meter, arg) >> 5;
  return (Array.isArray(arg) ? arg.length : Object.keys(arg).length) >> 4;
}

function settle(meter: Meter, value: unknown): unknown {
  if (typeof value === "string") chargeString(meter, value.length);
  else if (typeof value === "object" && value !== null && !isFunction(value)) chargeValue(meter, value);
  return value;
}
