/**
 * The door between JSON and JSONata's values. What goes in is copied, because JSONata writes marks onto arrays that it
 * meets; what comes out is copied, because it may share parts with what went in, and is JSON or refused by its place.
 */
import { SwitchyardError } from "../core/errors.ts";
import { toPointer } from "../core/json.ts";
import { LIMITS } from "../core/limits.ts";
import { isFunction, quote } from "./meter.ts";

/** Keys that JSONata takes for its own marks wherever it meets them: data that has one would be taken for code. */
const MARKS = new Set(["_jsonata_lambda", "_jsonata_function", "outerWrapper", "tupleStream"]);

type Copying = { source: string; nodes: number; path: string[]; way: "input" | "result" };

export function copyIn(source: string, value: unknown): unknown {
  return copy({ source, nodes: 0, path: [], way: "input" }, value);
}

/** Throws expression_failed for what JSON cannot say, expression_limit for what is too deep or too much. */
export function copyOut(source: string, value: unknown): unknown {
  if (value === undefined) {
    throw new SwitchyardError(
      "expression_failed",
      `Cannot evaluate the expression ${quote(source)}: it must have a result; nothing in the input matches it`,
      { hint: "`?? null` or another default after it says what nothing stands for." },
    );
  }
  return copy({ source, nodes: 0, path: [], way: "result" }, value);
}

function copy(state: Copying, value: unknown): unknown {
  if (++state.nodes > LIMITS.jsonNodes) fail(state, "expression_limit", `at most ${LIMITS.jsonNodes} values`, "more");
  if (typeof value === "number") {
    if (!Number.isFinite(value)) fail(state, "expression_failed", "a finite number", String(value));
    // JSON has no -0 of its own: JSON.stringify writes 0.
    return value === 0 ? 0 : value;
  }
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (isFunction(value)) fail(state, "expression_failed", "a value that JSON can say", "a function");
  if (typeof value !== "object") fail(state, "expression_failed", "a value that JSON can say", typeof value);
  if (state.path.length >= LIMITS.jsonDepth) {
    fail(state, "expression_limit", `nested at most ${LIMITS.jsonDepth} levels`, "nested deeper");
  }
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const [index, item] of value.entries()) {
      state.path.push(String(index));
      items.push(item === undefined ? null : copy(state, item));
      state.path.pop();
    }
    return items;
  }
  return copyObject(state, value);
}

function copyObject(state: Copying, value: object): Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    fail(state, "expression_failed", "a plain object", "an object of another class");
  }
  const members: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    if (key === "__proto__") fail(state, "expression_failed", 'an object without the key "__proto__"', "one with it");
    if (state.way === "input" && MARKS.has(key)) {
      fail(
        state,
        "expression_failed",
        `an object without the key "${key}", which JSONata keeps for itself`,
        "one with it",
      );
    }
    state.path.push(key);
    members[key] = copy(state, member);
    state.path.pop();
  }
  return members;
}

function fail(state: Copying, code: "expression_failed" | "expression_limit", rule: string, found: string): never {
  throw new SwitchyardError(
    code,
    `Cannot evaluate the expression ${quote(state.source)}: its ${state.way} at "${toPointer(state.path)}" must be ${rule}; it is ${found}`,
  );
}
