/**
 * When the place of replicas is to be asked how they are. Runners tell by themselves, so they are asked only when they have been silent
 * for long; whatever does not tell is asked as often as its health check says, and each second while it starts. What is at an address
 * is there while it is waited for: how it answers meanwhile is asked beside its start. Pure.
 */
import { sortOf } from "../model/services.ts";
import type { Head, Replica } from "./_kept.ts";

/** Runners tell every five seconds. */
const SILENT_MS = 30_000;
const STARTING_MS = 1_000;

/** Whatever runs its replicas tells how they are, and has counted what their health checks miss. */
export function tellsByItself({ settings: { unit, row } }: Head): boolean {
  if (unit !== "replica" || sortOf(row) === "address") return false;
  return row.operations.start === "start_replica" && row.operations.observe === "probe_replicas";
}

export function observeAt(
  head: Head,
  replicas: readonly Replica[],
  heardAt: (replica: Replica) => number,
): number | null {
  const { row } = head.settings;
  const there = replicas.filter(
    ({ phase, step }) =>
      phase !== "stopping" && !(phase === "starting" && step === "start" && sortOf(row) !== "address"),
  );
  if (there.length === 0) return null;
  const isStarting = there.some(({ phase, ready, count }) => phase === "starting" || ready < count);
  const everyMs = tellsByItself(head)
    ? SILENT_MS
    : isStarting
      ? Math.min(STARTING_MS, row.health.interval_ms)
      : row.health.interval_ms;
  return Math.min(...there.map((replica) => heardAt(replica) + everyMs));
}
