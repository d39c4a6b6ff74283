/** A bound around work elsewhere: its time, and its caller's interest. Whichever ends first, the work is told to stop. */
import type { Cancellation } from "../../core/cancellation.ts";
import type { Outcome } from "../../model/outcome.ts";

export type End = "timeout" | "execution_cancelled";

/** The work's result, or what `ended` makes of its early end. The signal aborts then; what the work comes to is dropped. */
export async function untilEnd<T>(
  { timeoutMs, cancellation }: { timeoutMs: number; cancellation?: Cancellation | undefined },
  work: (signal: AbortSignal) => Promise<T>,
  ended: (why: End) => T,
): Promise<T> {
  if (cancellation?.requested === true) return ended("execution_cancelled");
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let forget: (() => void) | undefined;
  const early = new Promise<T>((resolve) => {
    const end = (why: End) => {
      resolve(ended(why));
      controller.abort();
    };
    timer = setTimeout(end, timeoutMs, "timeout");
    forget = cancellation?.onRequest(() => end("execution_cancelled"));
  });
  try {
    const working = work(controller.signal);
    // It may still fail after its end, when nobody listens.
    working.catch(() => undefined);
    return await Promise.race([working, early]);
  } finally {
    clearTimeout(timer);
    forget?.();
  }
}

/** The outcome of a call that was ended early. The other side may have had effects, and is told only by its connection. */
export function endedOutcome(operation: string, timeoutMs: number): (why: End) => Outcome {
  return (why) => ({
    ok: false,
    error: {
      code: why,
      detail:
        why === "timeout"
          ? `Cannot finish "${operation}": it must end within ${timeoutMs} ms; it is still running`
          : `Cannot finish "${operation}": its caller must still want it; it is cancelled`,
    },
    retry: { kind: why === "timeout" ? "may" : "never" },
    logs: [],
  });
}
