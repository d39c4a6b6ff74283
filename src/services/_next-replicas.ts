/**
 * Which replicas may change now, and into what: all that is decided about them together. Between any two of the steps that follow,
 * as many are ready as before or as are wanted, whichever is less; and while one is ready at most one more runs than are wanted.
 */
import type { Phase, Replica } from "./_replica-jobs.ts";

export type Wanted = {
  replicas: number;
  /** The newest. */
  revision: string;
  /**
   * newest: all come to run `revision`. kept: those that run go on as they are. both: as kept, and one of the newest is started
   * beside them and gets no requests.
   */
  roll: "newest" | "kept" | "both";
  /** set: one replica stands for all, and starting it again changes its count or revision. */
  unit: "replica" | "set";
  /** For new ones, in this order; those that are taken are passed over. */
  names: readonly string[];
};

export type Replicas = Readonly<Record<string, Replica>>;
/** What each is to become, null: it goes. Those that are not named stay as they are for now. */
export type Next = Record<string, Replica | null>;

type Entry = { readonly replica: string } & Replica;

/** Which of those with the right revision stay: the sooner it can serve, the rather. */
const PREFERENCE: Readonly<Record<Phase, number>> = {
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
  // With nothing ready, requests wait: all start at once. Otherwise one more than are wanted may be there.
  const most = wanted.unit === "set" ? 2 : ready === 0 ? Number.POSITIVE_INFINITY : wanted.replicas + 1;
  for (const fresh of chosen.fresh.slice(0, Math.max(0, most - present.length))) {
    const name = names.shift();
    if (name !== undefined) next[name] = fresh;
  }
  leave(next, { leaving, ready, wanted, serving });
  for (const { replica, phase } of all) if (phase === "ended") next[replica] = null;
  return next;
}

function differs(is: Replica, known: Replica | undefined): boolean {
  return is.phase !== known?.phase || is.revision !== known.revision || is.count !== known.count;
}

/** Those that are ready only as far as enough others are; old ones first. */
function leave(
  next: Next,
  { leaving, ready, wanted, serving }: { leaving: readonly Entry[]; ready: number; wanted: Wanted; serving: string },
): void {
  const least = wanted.unit === "set" ? Math.min(1, wanted.replicas) : wanted.replicas;
  let spare = Math.max(0, ready - least);
  const oldFirst = leaving.toSorted((a, b) => Number(a.revision === serving) - Number(b.revision === serving));
  for (const { replica, phase } of oldFirst) {
    if (phase === "ready" && spare-- <= 0) continue;
    next[replica] = null;
  }
}

/** What most of those run that serve, or else of those that are nearest to it; of as many, the newest. */
function keptRevision(live: readonly Entry[], newest: string): string | undefined {
  for (const phase of ["ready", "draining", "starting", "candidate"] as const) {
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

type Chosen = { stay: Entry[]; fresh: Replica[] };

function chooseSingles(live: readonly Entry[], { replicas, revision, roll }: Wanted, serving: string): Chosen {
  const kept = live.filter((each) => each.revision === serving).slice(0, replicas);
  const stay = kept.map((each): Entry => ({ ...each, phase: "ready" }));
  const fresh = Array.from({ length: replicas - kept.length }, (): Replica => single(serving, "ready"));
  if (roll === "both" && replicas > 0 && serving !== revision) {
    const candidate = live.find((each) => each.revision === revision && each.phase !== "draining");
    if (candidate === undefined) fresh.push(single(revision, "candidate"));
    else stay.push({ ...candidate, phase: candidate.phase === "ready" ? "ready" : "candidate" });
  }
  return { stay, fresh };
}

function single(revision: string, phase: Phase): Replica {
  return { revision, phase, count: 1 };
}

/** A set of the right revision, or else one that can be told to change. The one beside it is a second set of one. */
function chooseSets(live: readonly Entry[], { replicas, revision, roll }: Wanted, serving: string): Chosen {
  if (replicas === 0) return { stay: [], fresh: [] };
  const set = { revision: serving, phase: "ready" as const, count: replicas };
  const own = live.find((each) => each.revision === serving) ?? live.find((each) => each.revision !== "");
  const stay: Entry[] = own === undefined ? [] : [{ replica: own.replica, ...set }];
  const fresh: Replica[] = own === undefined ? [set] : [];
  if (roll === "both" && serving !== revision) {
    const candidate = live.find((each) => each.revision === revision && each.replica !== own?.replica);
    if (candidate === undefined) fresh.push(single(revision, "candidate"));
    else stay.push({ ...candidate, phase: candidate.phase === "ready" ? "ready" : "candidate" });
  }
  return { stay, fresh };
}
