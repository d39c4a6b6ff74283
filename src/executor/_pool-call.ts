/** One call on its way through the pool, and the small words about it. */
import type { Cancellation } from "../core/cancellation.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { InvocationMeta, InvocationResult, IsolateDefinition, IsolateSpec } from "../model/invocation.ts";

/** One call on its way, over as many processes as it takes. */
export type Call = {
  isolate: IsolateSpec;
  input: string;
  meta: InvocationMeta;
  startedAtMs: number;
  definition?: IsolateDefinition;
  group: object | undefined;
  /** Nobody wants the result any more. */
  cancellation: Cancellation | undefined;
};

/** `broken`: the process is gone. `moved`: it has not started there and never will. */
export type AttemptEnd =
  | { kind: "answer"; frame: string }
  | { kind: "status"; status: number }
  | { kind: "broken" }
  | { kind: "moved" };

export function remainingMs(call: Call): number {
  return call.startedAtMs + call.meta.timeout_ms - Date.now();
}

export function isPast(call: Call, graceMs: number): boolean {
  return remainingMs(call) + graceMs < 0;
}

export function timedOut(meta: InvocationMeta): InvocationResult {
  return failure(
    "timeout",
    `Cannot finish "${meta.operation}": it may run for ${meta.timeout_ms} ms; it is still running`,
  );
}

export function failure(code: ErrorCode, detail: string): InvocationResult {
  return { ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** What the promise comes to, or undefined when it takes longer than `ms`. */
export async function orTimer<Value>(promise: Promise<Value>, ms: number): Promise<Value | undefined> {
  let timer: number | undefined;
  try {
    return await Promise.race([promise, new Promise<undefined>((resolve) => (timer = setTimeout(resolve, ms)))]);
  } finally {
    clearTimeout(timer);
  }
}
