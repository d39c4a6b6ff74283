/**
 * What the end of an attempt means: pure, so that every rule of trying again stands here and is tested as a table.
 * Tries count separately by whose fault they were: the operation's (its own policy), its executor's, the platform's.
 */
import { LIMITS } from "../core/limits.ts";
import { nextStatus, type ExecutionEvent, type ExecutionStatus } from "../model/execution-states.ts";
import type { Attempt, AttemptEnd } from "../model/execution.ts";
import type { Head, Settlement, Tail } from "./messages.ts";

export type Decision = {
  status: ExecutionStatus;
  /** When something happens by itself again; null: nothing will. */
  due: number | null;
  tail: Tail;
};

type Ports = { now: number; random: () => number };

/** Waits before an attempt that could not begin is tried again. */
const PUT_BACK = { initial_ms: 500, max_ms: 30_000 };
const INTERRUPTED = { initial_ms: 10, max_ms: 5_000 };

/** The status is `running` before, and the settlement's attempt is the one under way. */
export function decide(head: Head, tail: Tail, settlement: Settlement, ports: Ports): Decision {
  const { ending } = settlement;
  const { now } = ports;
  if (ending.kind === "put_back") {
    if (head.mode === "sync") return finish("fail", head, { ...tail, error: ending.error }, now);
    const count = (tail.put_backs ?? 0) + 1;
    const again = { ...tail, put_backs: count, error: ending.error };
    // Where the place said when, everybody would come back at that very moment: the jitter is on top.
    const wait = (ending.after_ms ?? 0) + jitter(PUT_BACK, count, ports.random);
    return waitUntil("put_back", now + wait, head, again, now);
  }
  const after: Tail = { ...tail, attempts: [...(tail.attempts ?? []), attemptOf(settlement, ending.kind)] };
  if (ending.kind === "succeeded") {
    const { error: _, ...rest } = after;
    return finish("succeed", head, { ...rest, output: { sha256: ending.sha256, size_bytes: ending.size_bytes } }, now);
  }
  after.error = ending.error;
  if (ending.kind === "failed" && ending.sha256 !== undefined && ending.size_bytes !== undefined) {
    after.output = { sha256: ending.sha256, size_bytes: ending.size_bytes };
  }
  if (head.mode === "sync") return finish("fail", head, after, now);
  const count = after.attempts?.filter(({ end }) => end === ending.kind).length ?? 0;
  if (ending.kind === "failed") {
    if (ending.retry.kind === "never" || count >= head.retry.max_attempts) return finish("give_up", head, after, now);
    const wait =
      ending.retry.kind === "after"
        ? Math.min(ending.retry.after_ms, LIMITS.delayMaxMs)
        : jitter(head.retry, count, ports.random);
    return waitUntil("retry", now + wait, head, after, now);
  }
  const most = ending.kind === "lost" ? LIMITS.lostAttempts : LIMITS.interruptedAttempts;
  if (count >= most) return finish("give_up", head, after, now);
  const wait = jitter(ending.kind === "lost" ? head.retry : INTERRUPTED, count, ports.random);
  return waitUntil("retry", now + wait, head, after, now);
}

/** A wait in place of the next attempt, or the end when it would be later than the execution may begin. */
function waitUntil(event: ExecutionEvent, due: number, head: Head, tail: Tail, now: number): Decision {
  if (head.expires_at !== null && due >= head.expires_at) return finish("expire", head, tail, now);
  return { status: after("running", event), due: Math.ceil(due), tail };
}

/** `dead` is kept until somebody deletes or replays it. */
export function finish(event: ExecutionEvent, head: Head, tail: Tail, now: number, from?: ExecutionStatus): Decision {
  const status = after(from ?? "running", event);
  return { status, due: status === "dead" ? null : now + head.retention_ms, tail: { ...tail, finished_at: now } };
}

function after(status: ExecutionStatus, event: ExecutionEvent): ExecutionStatus {
  const next = nextStatus(status, event);
  if (next === undefined) throw new TypeError(`an execution that is ${status} cannot ${event}`);
  return next;
}

/** Full jitter: anywhere between nothing and a bound that doubles. */
export function jitter(policy: { initial_ms: number; max_ms: number }, count: number, random: () => number): number {
  return random() * Math.min(policy.max_ms, policy.initial_ms * 2 ** (count - 1));
}

function attemptOf(settlement: Settlement, end: AttemptEnd): Attempt {
  const { attempt, environment, passed_over: passedOver, started_at, finished_at, ending } = settlement;
  const error = "error" in ending ? ending.error : null;
  const passed = passedOver === undefined ? {} : { passed_over: passedOver };
  return { attempt, environment, ...passed, started_at, finished_at, end, error };
}
