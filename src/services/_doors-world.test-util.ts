/** For tests of doors: one isolate with a clock that the test moves, a registry of one service, and its object. */
import type { Entered } from "../adapters/service/port.ts";
import type { Cancellation } from "../core/cancellation.ts";
import { environmentOf } from "../model/_environment.test-util.ts";
import type { Outcome } from "../model/outcome.ts";
import { ExposureSchema, type ExposureRow } from "../model/services.ts";
import * as v from "valibot";
import { createDoors } from "./doors.ts";
import {
  LEASE_TTL_MS,
  type AcquireAnswer,
  type AcquireOrder,
  type HolderReport,
  type LeasedReplica,
} from "./messages.ts";

export function replicaOf(replica: string, changes: Partial<LeasedReplica> = {}): LeasedReplica {
  return {
    service: "albums",
    replica,
    place: "desk",
    address: null,
    environment: "rack",
    environmentRevision: 1,
    ...changes,
  };
}

export const lease = (...replicas: (string | LeasedReplica)[]): AcquireAnswer => ({
  kind: "lease",
  ttlMs: LEASE_TTL_MS,
  replicas: replicas.map((each) => (typeof each === "string" ? replicaOf(each) : each)),
});

type Entering = Promise<Entered | (Outcome & { ok: false })>;

export class DoorsWorld {
  now = 1_000_000;
  /** What the object answers to each question. */
  answer: (order: AcquireOrder) => AcquireAnswer | Promise<AcquireAnswer> = () => lease("r1");
  report: () => Promise<void> = async () => undefined;
  exposure: ExposureRow | undefined;
  maxWaiting = 1_000;
  readonly acquired: AcquireOrder[] = [];
  readonly reports: HolderReport[] = [];
  readonly counted: string[] = [];
  readonly #timers = new Set<{ at: number; work: () => void }>();
  readonly #doors;

  constructor(exposure: Partial<ExposureRow> = {}) {
    this.exposure = v.parse(ExposureSchema, { name: "albums_v1", service: "albums", ...exposure });
    const object = {
      acquire: async (text: string): Promise<string> => {
        const order = JSON.parse(text) as AcquireOrder;
        this.acquired.push(order);
        return JSON.stringify(await this.answer(order));
      },
      report: async (text: string): Promise<void> => {
        this.reports.push(JSON.parse(text) as HolderReport);
        await this.report();
      },
    };
    this.#doors = createDoors({
      exposure: async (name) => (name === "albums_v1" ? this.exposure : undefined),
      service: async (name) => (name === "albums" ? { max_waiting: this.maxWaiting } : undefined),
      environment: async (name, revision) =>
        name === "rack" ? environmentOf("rack", { digest: `rack@${revision}` }) : undefined,
      object: () => object,
      now: () => this.now,
      later: (ms, work) => {
        const timer = { at: this.now + ms, work };
        this.#timers.add(timer);
        return () => void this.#timers.delete(timer);
      },
      background: (work) => void work.catch(() => undefined),
      meter: () => ({ count: (...words: string[]) => void this.counted.push(words.join(" ")) }) as never,
    });
  }

  enter(
    changes: { name?: string; waitMs?: number; avoid?: readonly string[]; cancellation?: Cancellation } = {},
  ): Entering {
    const { name = "albums_v1", waitMs = 10_000, avoid = [], cancellation } = changes;
    return this.#doors.enter(name, { waitMs, avoid: new Set(avoid), cancellation });
  }

  /** As a request that was let in. */
  async in(changes: Parameters<DoorsWorld["enter"]>[0] = {}): Promise<Entered> {
    const entered = await this.enter(changes);
    if (!entered.ok) throw new Error(`refused: ${entered.error.detail}`);
    return entered;
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** All that follows from what has happened, and takes no time. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  }

  /** The clock is put back, and timers, which go by another, are not: they come when they would have. */
  putBack(ms: number): void {
    this.now -= ms;
    for (const timer of this.#timers) timer.at -= ms;
  }

  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    await this.rest();
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.now = Math.max(this.now, next.at);
      this.#timers.delete(next);
      next.work();
      await this.rest();
    }
    this.now = until;
  }
}
