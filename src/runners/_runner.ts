/** One runner as its pool knows it, with the jobs that it has. */
import type { Outcome } from "../model/outcome.ts";
import {
  packParcels,
  type Declared,
  type Parcel,
  type PoolOrder,
  type RunnerJob,
  type RunnerView,
  type ToRunner,
} from "../model/runner-protocol.ts";
import type { Candidate } from "./_decide.ts";
import { ReplicaReports } from "./_replica-reports.ts";

const WARM_ISOLATES = 512;

export type Socket = {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Kept with the socket, beyond this object's memory. */
  attach(declared: Declared): void;
  /** The last sign of life that was answered without waking anybody; 0: none yet. */
  beatAt(): number;
};

export type Answer = string | Outcome;
export type Settle = (answer: Answer) => void;

export type Job = RunnerJob & {
  order: PoolOrder | undefined;
  /** undefined: nobody waits (yet). */
  settle: Settle | undefined;
  /** running → answered (the runner keeps the result), or closed (nobody may have it; the runner is still at it). */
  state: "running" | "answered" | "closed";
  /** When its time is over; of one without a waiter, when it is forgotten. */
  endsAt: number;
};

export class Runner {
  readonly jobs = new Map<string, Job>();
  readonly replicas = new ReplicaReports();
  readonly warmFor = new Set<string>();
  socket: Socket | undefined;
  draining = false;
  heardAt: number;
  stopGrace: (() => void) | undefined;

  declared: Declared;
  #outbox: Parcel<ToRunner>[] = [];
  /** The last of the socket's signs of life that was seen. */
  #beatAt = 0;

  constructor(declared: Declared, socket: Socket, now: number) {
    this.declared = declared;
    this.socket = socket;
    this.heardAt = now;
  }

  /**
   * Its last sign of life. One that has a time to come is from before the clock was put back, and counts as of now; each of the
   * socket's counts once, so that it does not count again and again until that time is there.
   */
  seenAt(now: number): number {
    const beatAt = this.socket?.beatAt() ?? 0;
    if (beatAt !== this.#beatAt) this.heardAt = Math.max(Math.min(this.heardAt, now), beatAt);
    this.#beatAt = beatAt;
    this.heardAt = Math.min(this.heardAt, now);
    return this.heardAt;
  }

  /** The clock has jumped by so much, or nothing could be heard for so long: that is nobody's silence, and no work's time. */
  jumped(byMs: number, now: number): void {
    this.heardAt = Math.min(now, this.seenAt(now) + Math.max(0, byMs));
    for (const job of this.jobs.values()) job.endsAt += byMs;
  }

  /** Slots that are taken. */
  inFlight(): number {
    let count = 0;
    for (const job of this.jobs.values()) if (job.state !== "answered" && job.beside !== true) count += 1;
    return count;
  }

  /** It has work, or replicas, that are lost with it. */
  isBusy(): boolean {
    return this.jobs.size > 0 || this.replicas.count > 0;
  }

  /** It has nothing that must be waited for. */
  isDone(): boolean {
    if (this.replicas.count > 0) return false;
    return [...this.jobs.values()].every((job) => job.state === "answered");
  }

  /** Notes that it has run the isolate; forgets all of them rather than grow. */
  warmed(isolate: string): void {
    if (isolate === "") return;
    if (this.warmFor.size >= WARM_ISOLATES) this.warmFor.clear();
    this.warmFor.add(isolate);
  }

  /** What decisions are made on. */
  candidate(isolate: string, now: number): Candidate & { runner: Runner } {
    return {
      runner: this,
      declared: this.declared,
      inFlight: this.inFlight(),
      isBusy: this.isBusy(),
      connected: this.socket !== undefined,
      draining: this.draining,
      silentMs: now - this.seenAt(now),
      warm: isolate !== "" && this.warmFor.has(isolate),
    };
  }

  view(now: number): RunnerView {
    const { name, version, slots, capabilities, runs } = this.declared;
    return {
      name,
      version,
      slots,
      in_flight: this.inFlight(),
      replicas: this.replicas.count,
      services: this.replicas.services,
      capabilities,
      runs,
      state: this.socket === undefined ? "lost" : this.draining ? "draining" : "connected",
      last_seen_at: this.seenAt(now),
    };
  }

  send(head: ToRunner, body = ""): void {
    this.#outbox.push({ head, body });
    this.flush();
  }

  /** Goes with the next that is sent, or with the next flush: half of all messages would be acknowledgements. */
  sendAlong(head: ToRunner): void {
    this.#outbox.push({ head, body: "" });
  }

  flush(): void {
    const parcels = this.#outbox;
    if (parcels.length === 0) return;
    this.#outbox = [];
    this.socket?.send(packParcels(parcels));
  }
}
