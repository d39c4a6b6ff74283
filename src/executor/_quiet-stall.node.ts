/**
 * A process that stalls while no call is under way: code has gone on after its answer (waitUntil, a promise that nobody
 * awaits) and does not end. No call of it will ever be late, so it is ended here, and nothing is lost with it.
 */
import type { Slot } from "./_slot.node.ts";

/** A machine that is short of time makes processes late too. Milliseconds. */
const PATIENCE_MS = 1_000;

export function endQuietStall(slot: Slot, beforeKill: () => void): void {
  const { generation } = slot;
  setTimeout(() => {
    if (slot.status !== "stalled" || slot.generation !== generation) return;
    beforeKill();
    void slot.kill("crash");
  }, PATIENCE_MS).unref();
}
