/**
 * Tells a service's object what this isolate has under way. Asking for a lease tells it too; beyond that a report is due every half
 * of a lease while anything is under way, and once after the last request has ended, so that idleness is counted from the truth.
 * An isolate with nothing under way says nothing.
 *
 * Every request has a timer in its own context, which tells for all when a report is due: whichever of them end, those that go on
 * are told of.
 */
import type { DoorPorts } from "./_door.ts";
import type { Replicas } from "./_replicas.ts";
import { LEASE_TTL_MS, type HolderReport } from "./messages.ts";

const DUE_MS = LEASE_TTL_MS / 2;
/** A report that is not taken by then counts as lost. */
const PATIENCE_MS = 2_000;
/** Of the last word before silence. */
const TRIES = 3;

export class Teller {
  readonly #holder: string;
  readonly #ports: DoorPorts;
  readonly #replicas: Replicas;
  readonly #waiting: () => number;
  #toldAt = 0;
  #begun = 0;
  #endedAt: number | undefined;
  /** Something has happened that was not told. */
  #isNew = false;
  #tellingUntil = 0;
  #finalUntil = 0;

  constructor(holder: string, ports: DoorPorts, about: { replicas: Replicas; waiting: () => number }) {
    this.#holder = holder;
    this.#ports = ports;
    this.#replicas = about.replicas;
    this.#waiting = about.waiting;
  }

  /** A request has begun. `done` settles when it `stop`s. */
  begun(): { done: Promise<void>; stop: () => void } {
    this.#begun += 1;
    this.#isNew = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    let cancel = this.#ports.later(DUE_MS, () => tick());
    const tick = (): void => {
      cancel = this.#ports.later(DUE_MS, tick);
      if (Math.abs(this.#ports.now() - this.#toldAt) >= DUE_MS) this.#tell();
    };
    return {
      done: promise,
      stop() {
        cancel();
        resolve();
      },
    };
  }

  /** A request has ended. `isUrgent`: the object should know now. */
  ended({ isUrgent }: { isUrgent: boolean }): void {
    this.#endedAt = this.#ports.now();
    this.#isNew = true;
    if (isUrgent) this.#tell();
    if (this.#replicas.isIdle) this.#tellLast();
  }

  /** What is to be told now; with whatever carries it. */
  take(): { report: HolderReport; putBack: () => void } {
    const now = this.#ports.now();
    const inFlight = this.#replicas.inFlight(now);
    const begun = this.#begun;
    const waiting = this.#waiting();
    const isBusy = waiting > 0 || Object.keys(inFlight).length > 0;
    this.#begun = 0;
    this.#isNew = false;
    this.#toldAt = now;
    const report: HolderReport = {
      holder: this.#holder,
      waiting,
      inFlight,
      begun,
      idleMs: isBusy ? 0 : Math.max(0, now - (this.#endedAt ?? now)),
      broken: this.#replicas.broken(),
    };
    const putBack = (): void => {
      this.#begun += begun;
      this.#isNew = true;
    };
    return { report, putBack };
  }

  /** At most one at a time: what happens meanwhile is in the next. */
  #tell(): void {
    if (this.#ports.now() < this.#tellingUntil) return;
    this.#ports.background(this.#send());
  }

  async #send(): Promise<void> {
    const until = this.#ports.now() + PATIENCE_MS;
    this.#tellingUntil = until;
    const { report, putBack } = this.take();
    try {
      await this.#ports.object.report(JSON.stringify(report));
    } catch {
      putBack();
    }
    if (this.#tellingUntil === until) this.#tellingUntil = 0;
  }

  #tellLast(): void {
    const now = this.#ports.now();
    // Whoever waits to tell it tells the end of this one too, unless it is gone with its request.
    if (now < this.#finalUntil) return;
    const until = now + DUE_MS + PATIENCE_MS;
    this.#finalUntil = until;
    this.#ports.background(this.#last(until));
  }

  async #last(until: number): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      await new Promise<void>((resolve) => void this.#ports.later(DUE_MS, resolve));
      // Requests that have begun meanwhile tell of themselves, and of their end.
      if (!this.#isNew || !this.#replicas.isIdle) break;
      await this.#send();
    }
    if (this.#finalUntil === until) this.#finalUntil = 0;
  }
}
