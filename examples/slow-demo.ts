/**
 * Takes its time and says so, step by step: something to watch, to wait for and to cancel.
 *
 *     opctl deploy examples/slow-demo.ts
 *     opctl call slow_demo n=5 --async --wait
 */
import type { Context } from "switchyard";

export interface SlowDemoInput {
  /** How many steps.
   * @asType integer
   * @minimum 1
   * @maximum 60
   * @default 3
   */
  n?: number;
  /** How long a step takes. Milliseconds.
   * @asType integer
   * @minimum 0
   * @maximum 60000
   * @default 1000
   */
  step_ms?: number;
}

export interface SlowDemoOutput {
  /** @asType integer */
  steps: number;
}

/** Takes n steps, and stops between two of them when it is cancelled. */
export async function slowDemo({ n = 3, step_ms = 1000 }: SlowDemoInput, ctx: Context): Promise<SlowDemoOutput> {
  for (let step = 1; step <= n; step++) {
    await pause(step_ms, ctx.signal);
    ctx.log.info(`step ${step} of ${n}`);
  }
  return { steps: n };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
