/** What a service is at, for people. Its exposures are added by whoever knows them. */
import type { Facts } from "../machines/evaluate.ts";
import type { ServiceStatusView } from "../registry/builtins/service-functions.ts";
import { isLooping } from "./_crashes.ts";
import type { Holders } from "./_holders.ts";
import type { Head, Replica, StoredEvent } from "./_kept.ts";
import { progressOf } from "./_progress.ts";
import { lastLook } from "./_wanted.ts";
import type { Way } from "./drive.ts";

export type ObjectStatus = Omit<ServiceStatusView, "exposures"> & {
  /** Replica → where it is. */
  environments: Readonly<Record<string, { name: string; revision: number }>>;
};

export function statusOf({
  head,
  replicas,
  events,
  holders,
  facts: { now, ...facts },
  next,
  plan,
}: {
  head: Head;
  replicas: readonly Replica[];
  /** The last ones. */
  events: readonly StoredEvent[];
  holders: Holders;
  facts: Facts;
  next: readonly Way[];
  plan: readonly string[];
}): ObjectStatus {
  const { settings, crashes } = head;
  return {
    name: settings.row.name,
    active: settings.row.active,
    state: head.state,
    since: timeOf(head.since),
    ...progressOf(head, replicas),
    state_machine: settings.row.state_machine,
    because: [...head.because],
    replicas: replicas.map((replica) => viewOf(replica, { head, holders })),
    waiting: facts["waiting"] as number,
    facts: { ...facts },
    next: next.map(({ transition, holds, because, notBefore }) => ({
      transition: transition.name,
      to: transition.to,
      holds: holds ?? null,
      because: [...because],
      not_before: timeOf(notBefore),
    })),
    plan: [...plan],
    steps: replicas.flatMap(({ step, replica, since }) =>
      step === null ? [] : [{ step, replica, since: new Date(since).toISOString() }],
    ),
    crashes: {
      failures: crashes.failures,
      looping: isLooping(crashes),
      reason: crashes.reason,
      lines: [...crashes.lines],
      next_at: crashes.nextAt > now ? timeOf(crashes.nextAt) : null,
    },
    problem: settings.problem,
    events: events.map(eventView),
    environments: Object.fromEntries(
      replicas.map(({ replica, environment: name, environmentRevision: revision }) => [replica, { name, revision }]),
    ),
  };
}

export function eventView({ seq, at, what }: StoredEvent): ServiceStatusView["events"][number] {
  return { seq, at: new Date(at).toISOString(), what };
}

function viewOf(
  replica: Replica,
  { head, holders }: { head: Head; holders: Holders },
): ServiceStatusView["replicas"][number] {
  const { phase, revision, place, address, since, cpu, count, ready, broken, lines } = replica;
  const look = lastLook(head, replica);
  return {
    replica: replica.replica,
    phase,
    revision,
    place,
    address,
    since: new Date(since).toISOString(),
    requests: holders.inFlight(replica.replica),
    cpu,
    count,
    ready,
    ended: look === undefined ? broken : `last look: ${look.answer}`,
    lines: [...lines],
  };
}

function timeOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
