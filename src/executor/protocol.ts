/** What the edge, the supervisor and an executor process agree on. */
import type { InvocationMeta } from "../model/invocation.ts";

/** Proves that a request comes from this installation, beside the sockets lying in a folder nobody else can enter. */
export const SECRET_HEADER = "switchyard-executor-secret";

/** Status: send the definition with the request. Nothing has started. */
export const NEED_DEFINITION = 428;
/** Status: the request is older than START_FENCE_MS, or the process is about to be replaced. Nothing has started. */
export const REFUSED = 425;

/**
 * A process never starts a call that was sent longer ago than this; so a call that has not started by MOVE_AFTER_MS can
 * be moved to another process without the danger that both run it. Both clocks are this machine's.
 */
export const START_FENCE_MS = 350;
export const MOVE_AFTER_MS = 400;

/** What the start journal calls a call: one attempt, one item of a batch, may have started where another has not. */
export function callId({ execution_id: id, attempt, item }: InvocationMeta): string {
  const call = attempt === 1 ? id : `${id}:${attempt}`;
  return item === undefined ? call : `${call}/${item}`;
}
