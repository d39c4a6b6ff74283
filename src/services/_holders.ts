/**
 * Who may send requests to which replica until when, and who has told what of its own: in memory. An object that is born anew knows
 * of nobody, while leases that the one before gave may still hold: until they are surely over, nobody is known to be idle and no
 * replica to be free.
 *
 * A holder counts its lease from when it asked, this from when it was given; and it tells of what is under way twice in a lease.
 * So one that has been silent for a lease and a margin has no request under way, or is lost with them.
 */
import { LEASE_TTL_MS, type HolderReport } from "./messages.ts";

/** What a message may take, beside the lease. */
const MARGIN_MS = 1_000;
/** After so long without a word a lease is over and its holder forgotten. */
export const SILENCE_MS = LEASE_TTL_MS + MARGIN_MS;
/** requests_per_second is counted over so many seconds. */
const RATE_S = 10;

type Holder = {
  heardAt: number;
  waiting: number;
  inFlight: Readonly<Record<string, number>>;
  /** undefined: a request is under way. */
  idleSince: number | undefined;
  /** Acquires of its that are not answered: for so long it is not silent. */
  asking: number;
};

export class Holders {
  readonly #bornAt: number;
  readonly #holders = new Map<string, Holder>();
  /** Replica → until when one may be sent to it by a lease. */
  readonly #leased = new Map<string, number>();
  /** Second → requests begun in it. */
  readonly #begun = new Map<number, number>();
  /** The end of the last request of holders that were forgotten. */
  #idleSince = 0;

  constructor(bornAt: number) {
    this.#bornAt = bornAt;
  }

  heard(report: HolderReport, now: number): void {
    const { holder, waiting, inFlight, begun, idleMs } = report;
    const isBusy = waiting > 0 || Object.values(inFlight).some((count) => count > 0);
    const asking = this.#holders.get(holder)?.asking ?? 0;
    this.#holders.set(holder, {
      heardAt: now,
      waiting,
      inFlight,
      idleSince: isBusy ? undefined : now - Math.max(0, idleMs),
      asking,
    });
    if (begun > 0) {
      const second = Math.floor(now / 1_000);
      this.#begun.set(second, (this.#begun.get(second) ?? 0) + begun);
    }
  }

  /** It waits for an answer from here on; to be called again with -1 when it has one. */
  asks(holder: string, change: 1 | -1, now: number): void {
    const known = this.#holders.get(holder);
    if (known === undefined) return;
    known.asking += change;
    known.heardAt = now;
  }

  /** Somebody wanted it to be there: as if a request of nobody's had just ended. */
  wanted(now: number): void {
    this.#idleSince = Math.max(this.#idleSince, now);
  }

  /** All who wait there are told, be it of a replica or that waiting is of no use. */
  answered(holder: string): void {
    const known = this.#holders.get(holder);
    if (known !== undefined) known.waiting = 0;
  }

  lease(replicas: readonly string[], now: number): void {
    for (const replica of replicas) this.#leased.set(replica, now + SILENCE_MS);
  }

  /** `but`: those of the others. */
  waiting(now: number, but?: string): number {
    this.#forget(now);
    let waiting = 0;
    for (const [name, holder] of this.#holders) if (name !== but) waiting += holder.waiting;
    return waiting;
  }

  inFlight(replica: string): number {
    let count = 0;
    for (const holder of this.#holders.values()) count += holder.inFlight[replica] ?? 0;
    return count;
  }

  /** Whether nobody can send to it any more, nor has a request with it. `leasesOnly`: those are given up. */
  isFree(replica: string, now: number, leasesOnly = false): boolean {
    this.#forget(now);
    return this.leasedUntil(replica) <= now && (leasesOnly || this.inFlight(replica) === 0);
  }

  leasedUntil(replica: string): number {
    return Math.max(this.#bornAt + SILENCE_MS, this.#leased.get(replica) ?? 0);
  }

  /** From then on it knows who is idle. */
  get knowsFrom(): number {
    return this.#bornAt + SILENCE_MS;
  }

  /** Since when nobody waits for an answer and nothing is under way; undefined: something is, or that is not known yet. */
  idleSince(now: number): number | undefined {
    this.#forget(now);
    if (now < this.#bornAt + SILENCE_MS) return undefined;
    let latest = Math.max(this.#idleSince, this.#bornAt);
    for (const { idleSince } of this.#holders.values()) {
      if (idleSince === undefined) return undefined;
      latest = Math.max(latest, idleSince);
    }
    return latest;
  }

  /** undefined: it has not counted for long enough. */
  perSecond(now: number): number | undefined {
    const second = Math.floor(now / 1_000);
    let sum = 0;
    for (const [at, count] of this.#begun) {
      if (at <= second - RATE_S) this.#begun.delete(at);
      else sum += count;
    }
    return now < this.#bornAt + RATE_S * 1_000 ? undefined : sum / RATE_S;
  }

  /** When silence alone will change an answer; undefined: never. */
  nextChange(): number | undefined {
    const times = [...this.#holders.values()]
      .filter(({ idleSince, asking }) => idleSince === undefined && asking === 0)
      .map(({ heardAt }) => heardAt + SILENCE_MS);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  forgetReplica(replica: string): void {
    this.#leased.delete(replica);
  }

  #forget(now: number): void {
    for (const [name, { heardAt, asking, idleSince }] of this.#holders) {
      if (asking > 0 || now - heardAt < SILENCE_MS) continue;
      this.#idleSince = Math.max(this.#idleSince, idleSince ?? heardAt);
      this.#holders.delete(name);
    }
  }
}
