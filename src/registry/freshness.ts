/**
 * How old the caches may be. If the last look at the change log is older than `maxStaleMs`, the next reader awaits a
 * new look, for at most 250 ms. If the database does not answer in that time, readers go on with what is cached until
 * the last look is `limitMs` old. A look says exactly which entries changed; only those are dropped.
 */
import { asc, gt } from "drizzle-orm";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import { currentRevision, type Change } from "./draft.ts";
import { changes } from "./schema.ts";
import { within } from "../core/within.ts";

const LOOK_MS = 250;
/** After this many changes at once, forgetting everything is cheaper than reading what changed. */
const MANY = 1000;

export type FreshnessOptions = {
  database: Database;
  now: () => number;
  maxStaleMs: number;
  /** Something changed at this registry revision; `undefined` means anything may have. */
  onChange: (change: Change | undefined) => void;
};

export class Freshness {
  readonly #options: FreshnessOptions;
  #seen = -1;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  #looking: { since: number; done: Promise<unknown> } | undefined;
  #failure: unknown;

  constructor(options: FreshnessOptions) {
    this.#options = options;
  }

  /** The newest registry revision known here. */
  get seen(): number {
    return this.#seen;
  }

  /** Since this last knew the state of the registry; undefined: it has never. Milliseconds. */
  get ageMs(): number | undefined {
    return this.blank ? undefined : Math.max(0, this.#options.now() - this.#lookedAt);
  }

  /** Resolves to whether what is cached is stale; throws when it is too old to be served at all. */
  async ensure(limitMs: number): Promise<boolean> {
    const { now, maxStaleMs } = this.#options;
    // By a clock that was put back since, the look lies in the future: how old it is nobody can say.
    if (Math.abs(now() - this.#lookedAt) <= maxStaleMs) return false;
    // Right after a failure nobody waits for the next one.
    if (now() - this.#failedAt > LOOK_MS || now() < this.#failedAt) await this.look();
    const ageMs = Math.abs(now() - this.#lookedAt);
    if (ageMs <= maxStaleMs) return false;
    if (ageMs <= limitMs) return true;
    throw fromDatabaseError(this.#failure ?? new Error("it did not answer in time"));
  }

  /** One look, shared by all who ask while it is under way. Never throws. */
  async look(): Promise<void> {
    const { now } = this.#options;
    // A look can be lost with the request that began it: after a while, begin another.
    if (this.#looking === undefined || now() - this.#looking.since > 2 * LOOK_MS) {
      const look = { since: now(), done: this.#look() };
      this.#looking = look;
      void look.done.finally(() => {
        if (this.#looking === look) this.#looking = undefined;
      });
    }
    if ((await within(LOOK_MS, this.#looking.done)) === undefined) this.#failedAt = now();
  }

  /** What this very process wrote, or read together with the revision it belongs to. */
  note(written: readonly Change[]): void {
    for (const change of written) this.#options.onChange(change);
    const [first] = written;
    // With a gap in between, the next look still has to tell what others wrote there; with nothing cached there is none.
    if (first !== undefined && (this.#seen < 0 || this.#seen >= first.seq - 1)) {
      this.#seen = Math.max(this.#seen, written.at(-1)?.seq ?? 0);
    }
  }

  /** Whether nothing has been cached yet, so that there is nothing to be stale. */
  get blank(): boolean {
    return this.#seen < 0;
  }

  /** The first read of all says which revision it saw: from there on, changes are followed. */
  start(revision: number): void {
    if (this.#seen >= 0) return;
    this.#seen = revision;
    this.#lookedAt = this.#options.now();
  }

  async #look(): Promise<void> {
    const { database, now, onChange } = this.#options;
    const startedAt = now();
    try {
      if (this.#seen < 0) {
        const revision = await currentRevision(database);
        if (this.#seen < 0) this.#seen = revision;
      } else {
        const found = await database
          .select({ seq: changes.seq, kind: changes.kind, name: changes.name })
          .from(changes)
          .where(gt(changes.seq, this.#seen))
          .orderBy(asc(changes.seq))
          .limit(MANY);
        if (found.length === MANY) {
          const revision = await currentRevision(database);
          onChange(undefined);
          this.#seen = Math.max(this.#seen, revision);
        } else {
          for (const change of found) onChange(change);
          this.#seen = Math.max(this.#seen, found.at(-1)?.seq ?? 0);
        }
      }
      this.#lookedAt = this.#lookedAt > now() ? startedAt : Math.max(this.#lookedAt, startedAt);
      this.#failure = undefined;
      this.#failedAt = Number.NEGATIVE_INFINITY;
    } catch (error) {
      this.#failure = error;
      this.#failedAt = now();
    }
  }
}
