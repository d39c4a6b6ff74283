/** The end of a call that somebody may cancel meanwhile. */
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

/** What the work comes to, or `execution_cancelled` soon after the signal aborts. `tell` lets the handler know. */
export async function unlessCancelled(
  work: Promise<InvocationResult>,
  options: { signal: AbortSignal; meta: InvocationMeta; tell: () => void },
): Promise<InvocationResult> {
  const { signal, meta, tell } = options;
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  signal.addEventListener("abort", onAbort);
  try {
    const end = signal.aborted ? undefined : await Promise.race([work, aborted]);
    if (end !== undefined) return end;
    tell();
    const last = await orTimer(work, CANCEL_GRACE_MS);
    return { ...cancelled(meta), logs: last?.logs ?? [] };
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
