/** What is known of a service now, for the requirements of its state machine. */
import type { Facts } from "../machines/evaluate.ts";
import type { Holders } from "./_holders.ts";
import type { Head, Replica } from "./_kept.ts";
import { revisionOf } from "./_wanted.ts";

type Known = { head: Head; replicas: readonly Replica[]; holders: Holders; now: number };

export function factsOf({ head, replicas, holders, now }: Known): Facts {
  const asked = holders.waiting(now);
  const waiting = head.nudged ? Math.max(1, asked) : asked;
  const idleSince = waiting > 0 ? undefined : (head.idleSince ?? holders.idleSince(now));
  const idleSeconds = idleSince === undefined ? 0 : Math.max(0, now - idleSince) / 1_000;
  // After ten idle seconds nothing has come in the last ten, whoever has counted.
  const perSecond = idleSeconds >= 10 ? 0 : holders.perSecond(now);
  const there = replicas.filter(({ phase }) => phase === "starting" || phase === "candidate" || phase === "ready");
  const serving = there.filter(isServing);
  const known = serving.flatMap(({ cpu }) => cpu ?? []);
  const revision = revisionOf(head);
  return {
    now,
    waiting,
    idle_seconds: idleSeconds,
    ...(perSecond === undefined ? {} : { requests_per_second: perSecond }),
    replicas: there.reduce((sum, { count }) => sum + count, 0),
    healthy: serving.length > 0,
    ...(known.length === 0 ? {} : { cpu: Math.min(1, known.reduce((sum, cpu) => sum + cpu, 0) / known.length) }),
    seconds_in_state: Math.max(0, now - head.since) / 1_000,
    new_revision: replicas.some((replica) => replica.phase === "ready" && replica.revision !== revision),
    candidate_healthy: replicas.some(
      (replica) => replica.phase === "candidate" && replica.revision === revision && replica.broken === null,
    ),
  };
}

export function isServing({ phase, broken }: Replica): boolean {
  return phase === "ready" && broken === null;
}
