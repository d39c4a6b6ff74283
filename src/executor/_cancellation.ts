/** The end of a call that somebody may cancel meanwhile. */
import type { Cancellation } from "../core/cancellation.ts";
import type { InvocationMeta, InvocationResult } from "../model/invocation.ts";
import { failure, orTimer } from "./_pool-call.ts";

/** So long a handler that heeds ctx.signal has to end, so that its last log lines are kept. */
const CANCEL_GRACE_MS = 500;

export function cancelled(meta: InvocationMeta): InvocationResult {
  return failure(
    "execution_cancelled",
    `Cannot finish "${meta.operation}": somebody must want the result; nobody does`,
  );
}

/** What the work comes to, or `execution_cancelled` soon after that is requested. `tell` lets the handler know. */
export async function unlessCancelled(
  work: Promise<InvocationResult>,
  options: { cancellation: Cancellation; meta: InvocationMeta; tell: () => void },
): Promise<InvocationResult> {
  const { cancellation, meta, tell } = options;
  const { promise: requested, resolve } = Promise.withResolvers<undefined>();
  const forget = cancellation.onRequest(() => resolve(undefined));
  try {
    const end = cancellation.requested ? undefined : await Promise.race([work, requested]);
    if (end !== undefined) return end;
    tell();
    const last = await orTimer(work, CANCEL_GRACE_MS);
    return { ...cancelled(meta), logs: last?.logs ?? [] };
  } finally {
    forget();
  }
}
