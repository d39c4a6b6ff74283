/**
 * Which replicas may change now, and into what: all that is decided about them together. Between any two of the steps that follow,
 * as many are ready as before or as are wanted, whichever is less; and while one is ready at most one more is there than are wanted
 * to serve, not counting one that stands beside them.
 */
import type { ReplicaPhase } from "../model/services.ts";
import type { Replica } from "./_replica-jobs.ts";

export type Wanted = {
  replicas: number;
  /** The newest. */
  revision: string;
  /**
   * newest: all come to run `revision`. kept: those that serve go on as they are. both: as kept, and one of the newest is started
   * beside them and gets no requests. What is kept cannot be made again, for there is only the newest row to start from: where one of
   * them is lost, fewer serve; where all are, the newest does.
   */
  roll: "newest" | "kept" | "both";
  /** set: one replica stands for all, and starting it again changes its count or revision. */
  unit: "replica" | "set";
  /**
   * Those that are where no new one comes to any more: such a set cannot be told a revision, another takes its place; and how long one
   * takes to go there keeps nothing from starting here.
   */
  elsewhere: readonly string[];
  /** For new ones, in this order; those that are taken are passed over. */
  names: readonly string[];
};

export type Replicas = Readonly<Record<string, Replica>>;
/** What each is to become, null: it goes. Those that are not named stay as they are for now. */
export type Next = Record<string, Replica | null>;

type Entry = { readonly replica: string } & Replica;

/** Which of those with the right revision stay: the sooner it can serve, the rather. */
const PREFERENCE: Readonly<Record<ReplicaPhase, number>> = {
  ready: 0,
  draining: 1,
  candidate: 2,
  starting: 3,
  stopping: 4,
  ended: 5,
};

export function nextReplicas(replicas: Replicas, wanted: Wanted): Next {
  const all = Object.entries(replicas).map(([replica, is]): Entry => Object.assign({ replica }, is));
  const present = all.filter(({ phase }) => phase !== "ended");
  const live = present
    .filter(({ phase }) => phase !== "stopping")
    .toSorted((a, b) => PREFERENCE[a.phase] - PREFERENCE[b.phase]);
  const serving = wanted.roll === "newest" ? wanted.revision : (keptRevision(live, wanted.revision) ?? wanted.revision);
  const names = wanted.names.filter((name) => !Object.hasOwn(replicas, name));
  const chosen = wanted.unit === "set" ? chooseSets(live, wanted, serving) : chooseSingles(live, wanted, serving);
  const staying = new Set(chosen.stay.map(({ replica }) => replica));
  const leaving = present.filter(({ replica }) => !staying.has(replica));
  const ready = present.filter(({ phase }) => phase === "ready").length;
  const next: Next = {};
  for (const { replica, ...is } of chosen.stay) {
    if (differs(is, replicas[replica])) next[replica] = is;
  }
  const taken = present.filter(({ replica, phase }) => phase !== "stopping" || !wanted.elsewhere.includes(replica));
  const room = mostOf(wanted, { ready, beside: chosen.beside }) - taken.length;
  for (const fresh of chosen.fresh.slice(0, Math.max(0, room))) {
    const name = names.shift();
    if (name !== undefined) next[name] = fresh;
  }
  leave(next, { leaving, ready, least: chosen.least, serving });
  for (const { replica, phase } of all) if (phase === "ended") next[replica] = null;
  return next;
}

/** How many may be there at once. */
function mostOf({ unit, replicas }: Wanted, { ready, beside }: { ready: number; beside: number }): number {
  if (unit === "set") return 2;
  // With nothing ready, requests wait: all start at once.
  if (ready === 0) return Number.POSITIVE_INFINITY;
  // The one beside those that serve keeps none of them from being replaced.
  return replicas + 1 + beside;
}

function differs(is: Replica, known: Replica | undefined): boolean {
  return is.phase !== known?.phase || is.revision !== known.revision || is.count !== known.count;
}

/** Those that are ready only as far as enough others are; broken ones first, then old ones. */
function leave(
  next: Next,
  { leaving, ready, least, serving }: { leaving: readonly Entry[]; ready: number; least: number; serving: string },
): void {
  let spare = Math.max(0, ready - least);
  const worth = ({ revision }: Entry): number => (revision === "" ? 0 : revision === serving ? 2 : 1);
  for (const { replica, phase } of leaving.toSorted((a, b) => worth(a) - worth(b))) {
    if (phase === "ready" && spare-- <= 0) continue;
    next[replica] = null;
  }
}

/** What most of those run that serve, or did until a moment ago; of as many, the newest. */
function keptRevision(live: readonly Entry[], newest: string): string | undefined {
  for (const phase of ["ready", "draining"] as const) {
    const counts = new Map<string, number>();
    for (const each of live) {
      if (each.phase !== phase || each.revision === "") continue;
      counts.set(each.revision, (counts.get(each.revision) ?? 0) + each.count);
    }
    const most = Math.max(0, ...counts.values());
    if (counts.get(newest) === most) return newest;
    for (const [revision, count] of counts) if (count === most) return revision;
  }
  return undefined;
}

/** `least`: as many are to serve at any time. `beside`: how many of those that stay are to serve only later. */
type Chosen = { stay: Entry[]; fresh: Replica[]; least: number; beside: number };

function chooseSingles(live: readonly Entry[], wanted: Wanted, serving: string): Chosen {
  const { replicas, revision } = wanted;
  const right = live.filter((each) => each.revision === serving);
  if (serving === revision) {
    const stay = right.slice(0, replicas).map(serves);
    const fresh = Array.from({ length: replicas - stay.length }, () => single(serving, "ready"));
    return { stay, fresh, least: replicas, beside: 0 };
  }
  const others = live.filter((each) => each.phase === "ready" && each.revision !== serving && each.revision !== "");
  const stay = [...right, ...others].slice(0, replicas).map(serves);
  return withCandidate({ stay, fresh: [], least: stay.length, beside: 0 }, { live, wanted });
}

function serves(entry: Entry): Entry {
  return { ...entry, phase: "ready" };
}

function single(revision: string, phase: ReplicaPhase): Replica {
  return { revision, phase, count: 1 };
}

/** One of the newest beside those that serve, where that is wanted and none of them runs it. */
function withCandidate(chosen: Chosen, { live, wanted }: { live: readonly Entry[]; wanted: Wanted }): Chosen {
  const { replicas, revision, roll } = wanted;
  if (roll !== "both" || replicas === 0 || chosen.stay.some((each) => each.revision === revision)) return chosen;
  const candidate = live.find((each) => each.revision === revision && each.phase !== "draining");
  if (candidate === undefined) return { ...chosen, fresh: [...chosen.fresh, single(revision, "candidate")] };
  const beside: Entry = { ...candidate, phase: candidate.phase === "ready" ? "ready" : "candidate" };
  return { ...chosen, stay: [...chosen.stay, beside], beside: 1 };
}

function canBeTold({ replica, revision }: Entry, { elsewhere }: Wanted): boolean {
  return revision !== "" && !elsewhere.includes(replica);
}

/** A set of the right revision, or else one that can be told to change. The one beside it is a second set of one. */
function chooseSets(live: readonly Entry[], wanted: Wanted, serving: string): Chosen {
  const { replicas, revision } = wanted;
  if (replicas === 0) return { stay: [], fresh: [], least: 0, beside: 0 };
  const own = live.find((each) => each.revision === serving) ?? live.find((each) => canBeTold(each, wanted));
  const set = { revision: serving, phase: "ready" as const, count: replicas };
  const chosen = { stay: [], fresh: [], least: 1, beside: 0 };
  if (own === undefined) return { ...chosen, fresh: [set] };
  if (serving === revision) return { ...chosen, stay: [{ replica: own.replica, ...set }] };
  // To tell it another count would be to tell it the newest row.
  return withCandidate({ ...chosen, stay: [serves(own)] }, { live, wanted });
}
