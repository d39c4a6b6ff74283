/**
 * What may begin now: what is planned (plan-replicas.ts), held against what a plan does not know, which is leases, requests under
 * way and starts that are put off. And how each is written.
 */
import type { Holders } from "./_holders.ts";
import type { Ledger } from "./_ledger.ts";
import type { Head, Replica } from "./_kept.ts";
import type { ServiceStore } from "./_service-store.ts";
import { revisionOf, wantedCount } from "./_wanted.ts";
import { planReplicas, type Known, type Move, type Wanted } from "./plan-replicas.ts";

type Place = { store: ServiceStore; holders: Holders };

export function planNow(store: ServiceStore): ReturnType<typeof planReplicas> {
  const head = store.head();
  if (head === undefined) return { now: [], sentences: [] };
  const replicas = store.replicas();
  const known = replicas.map((replica) => knownOf(replica, head));
  const wanted = wantedOf(head, replicas);
  return isSettled(known, wanted) ? { now: [], sentences: [] } : planReplicas(known, wanted);
}

/** Those that nothing holds back. */
export function movesNow({ store, holders }: Place, now: number): Move[] {
  const head = store.head();
  if (head === undefined) return [];
  return planNow(store).now.filter((move) => {
    const replica = store.replica(move.replica);
    if (move.do === "start") {
      return head.settings.problem === null && (replica !== undefined || now >= head.crashes.nextAt);
    }
    return move.do !== "stop" || replica?.phase !== "draining" || releasedAt(replica, { head, holders }) <= now;
  });
}

/** When one that drains may be stopped at the latest, should nobody say anything more of it. */
export function releasedAt(replica: Replica, { head, holders }: { head: Head; holders: Holders }): number {
  const leased = holders.leasedUntil(replica.replica);
  // However short drain_ms is: a lease is a promise, only what is under way may be cut off.
  return holders.inFlight(replica.replica) === 0
    ? leased
    : Math.max(leased, replica.since + head.settings.row.drain_ms);
}

/** Within a transaction. */
export function write(move: Move, { store, ledger, holders }: Place & { ledger: Ledger }, now: number): void {
  const head = store.head();
  const replica = store.replica(move.replica);
  if (head === undefined) return;
  if (move.do === "start") {
    if (replica === undefined) return void ledger.want(head, move, now);
    const { revision, count } = move;
    store.tell(now, `${replica.replica}: it is told revision ${revision}, ${count} of them`);
    return store.setReplica({ ...replica, revision, count, step: "start", stepAt: now, tries: 0 });
  }
  if (replica === undefined) return;
  switch (move.do) {
    case "admit":
      ledger.phase(replica, "ready", "it is given requests", now);
      return deployed(head, { store, holders }, now);
    case "drain":
      return void ledger.phase(replica, "draining", "it is given no more requests", now);
    case "undrain":
      ledger.phase(replica, "ready", "it is given requests again", now);
      return deployed(head, { store, holders }, now);
    case "stop":
      return void ledger.phase(replica, "stopping", "it is stopped", now);
    case "forget":
      return store.forgetReplica(replica.replica);
  }
}

/** What somebody has deployed is there, and idles from here on: not since the last request, which may be long ago. */
function deployed(head: Head, { store, holders }: Place, now: number): void {
  if (!head.nudged) return;
  holders.wanted(now);
  store.setHead({ ...head, nudged: false, idleSince: null });
}

function wantedOf(head: Head, known: readonly Replica[]): Wanted {
  const { settings, life, next, state } = head;
  const replicas = wantedCount(head);
  return {
    replicas,
    elsewhere: known.filter(({ site }) => site !== settings.site).map(({ replica }) => replica),
    revision: revisionOf(head),
    roll: settings.machine.states[state]?.revision ?? "newest",
    unit: settings.unit ?? "replica",
    names: Array.from({ length: replicas + 1 }, (_, place) => `${life}-${next + place}`),
  };
}

function knownOf({ replica, revision, phase, count, broken }: Replica, { settings }: Head): Known {
  // One that is broken is replaced, whatever it runs. The place of a set does that by itself.
  return { replica, phase, count, revision: broken !== null && settings.unit !== "set" ? "" : revision };
}

/** Most looks find nothing to do, and a plan of a hundred replicas takes its time. */
function isSettled(known: readonly Known[], { replicas, revision, unit }: Wanted): boolean {
  const count = known.reduce((sum, each) => sum + each.count, 0);
  if (count !== replicas || (unit === "set" && known.length > 1)) return false;
  return known.every((each) => each.phase === "ready" && each.revision === revision);
}
