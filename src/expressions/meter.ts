/**
 * What one evaluation has used: steps, bytes built, time of its own. JSONata runs as one long chain of microtasks, in a
 * runtime whose clock may stand still meanwhile, so steps are the limit; the clock is looked at now and then, when
 * other work is given a turn as well.
 *
 * Bytes are counted when something is built and never given back, which bounds what is alive without asking the
 * collector. Values may share parts (`[$x, $x]` thirty times over is a small graph and a huge tree), so each value
 * also has the size of its tree, and one too large is refused where it is made: nothing later, not even the text of an
 * error, can unfold it.
 */
import { SwitchyardError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";

export type Meter = {
  readonly source: string;
  steps: number;
  memoryBytes: number;
  /** Items that went into order-by clauses, and keys that were grouped by. */
  sorted: number;
  grouped: number;
  /** Tree size of each object that was looked at. Replaced when something that is in it was changed. */
  sizes: WeakMap<object, number>;
  /** How often each function that was handed on had been before. */
  readonly wrappers: WeakMap<object, number>;
  /** When the clock is looked at next, when this turn began, and the time used in turns before. */
  nextLook: number;
  turnBeganMs: number;
  usedMs: number;
  /** Why it ended. What JSONata still has under way in parallel ends with it. */
  ended: unknown;
};

const LOOK_EVERY_STEPS = 10_000;
/** Marks a value whose size is being taken: to meet it again is a cycle. */
const OPEN = -1;

export function createMeter(source: string): Meter {
  return {
    source,
    steps: 0,
    memoryBytes: 0,
    sorted: 0,
    grouped: 0,
    sizes: new WeakMap(),
    wrappers: new WeakMap(),
    nextLook: LOOK_EVERY_STEPS,
    turnBeganMs: Date.now(),
    usedMs: 0,
    ended: undefined,
  };
}

/** Ends the evaluation over a limit, for good: whatever of it still runs is told the same. */
export function exceed(meter: Meter, rule: string, found: string): never {
  meter.ended = new SwitchyardError(
    "expression_limit",
    `Cannot evaluate the expression ${quote(meter.source)}: ${rule}; it is ${found}`,
    { hint: "Work of that size belongs in an operation. `opctl explain expression_limit` says more." },
  );
  throw meter.ended;
}

/** Ends the evaluation over a value that no limit would catch in time. */
export function refuseValue(meter: Meter, rule: string, found: string): never {
  meter.ended = new SwitchyardError(
    "expression_failed",
    `Cannot evaluate the expression ${quote(meter.source)}: ${rule}; it is ${found}`,
  );
  throw meter.ended;
}

/** `steps` is not negative: what comes of a shift must have fitted into 31 bits. */
export function chargeSteps(meter: Meter, steps: number): void {
  if (meter.ended !== undefined) throw meter.ended;
  meter.steps += steps;
  if (meter.steps > LIMITS.expressionSteps) {
    exceed(meter, `it may take at most ${LIMITS.expressionSteps} steps`, "not done by then");
  }
}

export function chargeBytes(meter: Meter, bytes: number): void {
  meter.memoryBytes += bytes;
  if (meter.memoryBytes > LIMITS.expressionMemoryBytes) {
    exceed(meter, `it may build at most ${LIMITS.expressionMemoryBytes} bytes of values`, "past that");
  }
}

export function chargeString(meter: Meter, chars: number): void {
  if (chars > LIMITS.expressionStringChars) {
    exceed(meter, `a string may have at most ${LIMITS.expressionStringChars} characters`, `one of ${chars}`);
  }
  chargeBytes(meter, 2 * chars);
}

/** The value is new or was seen before; what is new is paid for. */
export function chargeValue(meter: Meter, value: object): void {
  if (meter.sizes.has(value)) return;
  sizeOf(meter, value);
  chargeBytes(meter, Array.isArray(value) ? 16 + 8 * value.length : 128 + 48 * Object.keys(value).length);
}

/** About the length of the value's JSON text, with shared parts counted each time. Refuses too much, and cycles. */
export function sizeOf(meter: Meter, value: unknown): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null || isFunction(value)) return 8;
  const known = meter.sizes.get(value);
  if (known === OPEN) refuseValue(meter, "a value must not contain itself", "in itself");
  if (known !== undefined) return known;
  meter.sizes.set(value, OPEN);
  let size = 2;
  let members = 0;
  if (Array.isArray(value)) {
    members = value.length;
    for (const item of value as unknown[]) size += 1 + sizeOf(meter, item);
  } else {
    for (const key of Object.keys(value)) {
      members++;
      size += key.length + 4 + sizeOf(meter, (value as Record<string, unknown>)[key]);
    }
  }
  chargeSteps(meter, members >> 4);
  if (size > LIMITS.expressionValueBytes) {
    exceed(meter, `a value may take at most ${LIMITS.expressionValueBytes} bytes as JSON`, "larger");
  }
  meter.sizes.set(value, size);
  return size;
}

/** Looks at the clock, and lets others have a turn. */
export async function pause(meter: Meter): Promise<void> {
  meter.nextLook = meter.steps + LOOK_EVERY_STEPS;
  meter.usedMs += Date.now() - meter.turnBeganMs;
  if (meter.usedMs > LIMITS.expressionMs) {
    exceed(meter, `it may run for at most ${LIMITS.expressionMs} ms`, `at ${meter.usedMs} ms`);
  }
  await new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
  meter.turnBeganMs = Date.now();
}

/** JSONata's own marks for functions, built in, written in the expression, or partly applied. */
export function isFunction(value: unknown): boolean {
  if (typeof value === "function") return true;
  if (typeof value !== "object" || value === null) return false;
  const marked = value as Record<string, unknown>;
  return marked["_jsonata_lambda"] === true || marked["_jsonata_function"] === true;
}

/** The beginning of an expression's text, as it is named in errors. */
export function quote(source: string): string {
  const line = source.trim().replaceAll(/\s+/g, " ");
  return JSON.stringify(line.length > 80 ? `${line.slice(0, 79)}…` : line);
}
