/**
 * What this isolate knows of a service's replicas: how many of its requests each has, whether it answers, and which way leads
 * there. Chooses the one for the next request. Only memory.
 */
import type { Left } from "../adapters/service/port.ts";
import type { ExposureRow } from "../model/services.ts";
import { Circuit } from "./_circuit.ts";
import type { LeasedReplica } from "./messages.ts";

/** How long a replica's own address is not tried that led nowhere. */
const AROUND_MS = 60_000;

export type Via = ExposureRow["via"];
export type Way = "direct" | "environment";

/** A request with a replica. `until`: whoever has not come back by then never will. */
export type Entry = { replica: string; way: Way; via: Via; decides: boolean; until: number };

type Known = {
  circuit: Circuit;
  entries: Set<Entry>;
  address: string | null;
  hasWorkedDirectly: boolean;
  aroundUntil: number;
};

export type Choice = { replica: LeasedReplica; way: Way; others: boolean };

export class Replicas {
  readonly #known = new Map<string, Known>();
  #turn = 0;

  /** What is in no lease and has no requests any more is forgotten. */
  lease(replicas: readonly LeasedReplica[]): void {
    const names = new Set(replicas.map(({ replica }) => replica));
    for (const [name, { entries }] of this.#known) {
      if (!names.has(name) && entries.size === 0) this.#known.delete(name);
    }
    for (const { replica, address } of replicas) this.#of(replica, address);
  }

  /**
   * The one with the fewest requests, those that are equal in turn. Replicas whose circuits are open are left out while there is
   * another; where there is none, the one that may be tried soonest is: what refuses may fail, not to ask fails for certain, and a
   * service that answers 500 to some inputs must go on answering the others.
   */
  choose(leased: readonly LeasedReplica[], { via, now }: { via: Via; now: number }): Choice | undefined {
    let best: { replica: LeasedReplica; rank: number; load: number } | undefined;
    let usable = 0;
    this.#turn = (this.#turn + 1) % 1_000_000;
    for (let place = 0; place < leased.length; place++) {
      const replica = leased[(place + this.#turn) % leased.length];
      if (replica === undefined || (via === "direct" && replica.address === null)) continue;
      const known = this.#of(replica.replica, replica.address);
      usable += 1;
      const rank = known.circuit.state(now) === "open" ? known.circuit.openUntil : 0;
      const load = known.entries.size;
      if (best === undefined || rank < best.rank || (rank === best.rank && load < best.load)) {
        best = { replica, rank, load };
      }
    }
    if (best === undefined) return undefined;
    return { replica: best.replica, way: this.#way(best.replica, via, now), others: usable > 1 };
  }

  begin({ replica, way }: Choice, { via, until, now }: { via: Via; until: number; now: number }): Entry {
    const known = this.#of(replica.replica, replica.address);
    const entry = { replica: replica.replica, way, via, decides: known.circuit.begin(now), until };
    known.entries.add(entry);
    return entry;
  }

  /** Answers whether the replica is found broken by this. */
  end(entry: Entry, how: Left, now: number): boolean {
    const known = this.#known.get(entry.replica);
    if (known === undefined || !known.entries.delete(entry)) return false;
    if (entry.way === "direct" && entry.via === "auto") {
      if (how === "answered") known.hasWorkedDirectly = true;
      const isAstray = how === "not_sent" || (how === "failed" && !known.hasWorkedDirectly);
      if (isAstray) known.aroundUntil = now + AROUND_MS;
      // The way is to blame, and there is another.
      if (how === "not_sent") return false;
    }
    return known.circuit.end(how, { now, decides: entry.decides });
  }

  get isIdle(): boolean {
    for (const { entries } of this.#known.values()) if (entries.size > 0) return false;
    return true;
  }

  /** Replica → requests under way. Those that never come back are dropped. */
  inFlight(now: number): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const [name, { entries }] of this.#known) {
      for (const entry of entries) if (entry.until < now) entries.delete(entry);
      if (entries.size > 0) counts[name] = entries.size;
    }
    return counts;
  }

  broken(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const [name, { circuit }] of this.#known) if (circuit.reason !== undefined) found[name] = circuit.reason;
    return found;
  }

  #way({ replica, address }: LeasedReplica, via: Via, now: number): Way {
    if (via !== "auto") return via;
    return address !== null && this.#of(replica, address).aroundUntil <= now ? "direct" : "environment";
  }

  #of(name: string, address: string | null): Known {
    let known = this.#known.get(name);
    if (known === undefined) {
      known = { circuit: new Circuit(), entries: new Set(), address, hasWorkedDirectly: false, aroundUntil: 0 };
      this.#known.set(name, known);
    } else if (known.address !== address) {
      Object.assign(known, { address, hasWorkedDirectly: false, aroundUntil: 0 });
    }
    return known;
  }
}
