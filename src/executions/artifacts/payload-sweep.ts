/**
 * Finds payloads that no row names: a payload is stored before the row that names it, and a crash in between, or a late
 * attempt, leaves it alone. Once a day each shard walks over its own part of the store, a page at a time.
 */
import { logError } from "../../core/log.ts";
import { askStore } from "./_store-error.ts";

/** No row comes so long after its payload. Milliseconds. */
const ORPHAN_AFTER_MS = 24 * 60 * 60_000;
const EVERY_MS = 24 * 60 * 60_000;
const RETRY_MS = 5 * 60_000;
const LISTED_AT_ONCE = 500;

const TABLE = `
  CREATE TABLE IF NOT EXISTS payload_sweep (one INTEGER PRIMARY KEY CHECK (one = 1), due INTEGER NOT NULL, after TEXT);
`;

export type PayloadSweepPorts = {
  shard: number;
  sql: SqlStorage;
  bucket: R2Bucket;
  /** Those of the keys that a row of this shard names. */
  named: (keys: string[]) => ReadonlySet<string>;
  now: () => number;
};

export class PayloadSweep {
  readonly #ports: PayloadSweepPorts;

  constructor(ports: PayloadSweepPorts) {
    this.#ports = ports;
    ports.sql.exec(TABLE);
  }

  /** A payload is stored: from now on there is something to look for. Before that the shard sleeps. */
  begin(): void {
    const { sql, now } = this.#ports;
    sql.exec("INSERT OR IGNORE INTO payload_sweep (one, due) VALUES (1, ?)", now() + EVERY_MS);
  }

  nextDue(): number | undefined {
    return this.#state()?.due;
  }

  /** Looks at one page if it is time, never throws, and answers when it wants to be called again. */
  async sweep(nowMs: number): Promise<number | undefined> {
    const { due, after } = this.#state() ?? { due: undefined, after: null };
    if (due === undefined || due > nowMs) return due;
    try {
      const next = await this.#page(after, nowMs);
      return this.#set(next === null ? nowMs + EVERY_MS : nowMs, next);
    } catch (error) {
      logError("payload sweep", error);
      return this.#set(nowMs + RETRY_MS, after);
    }
  }

  /** Answers the key to go on after; null: there is none. */
  async #page(after: string | null, nowMs: number): Promise<string | null> {
    const { bucket, shard, named } = this.#ports;
    const prefix = `payloads/ex_${shard.toString(16).padStart(2, "0")}_`;
    const listed = await askStore("list payloads", () =>
      bucket.list({ prefix, limit: LISTED_AT_ONCE, ...(after === null ? {} : { startAfter: after }) }),
    );
    const old = listed.objects.filter(({ uploaded }) => uploaded.getTime() <= nowMs - ORPHAN_AFTER_MS);
    const keys = old.map(({ key }) => key);
    const used = named(keys);
    const orphans = keys.filter((key) => !used.has(key));
    if (orphans.length > 0) await askStore("delete orphaned payloads", () => bucket.delete(orphans));
    return listed.truncated ? (listed.objects.at(-1)?.key ?? null) : null;
  }

  #state(): { due: number; after: string | null } | undefined {
    return this.#ports.sql
      .exec<{ due: number; after: string | null }>("SELECT due, after FROM payload_sweep")
      .toArray()[0];
  }

  #set(due: number, after: string | null): number {
    this.#ports.sql.exec("UPDATE payload_sweep SET due = ?, after = ?", due, after);
    return due;
  }
}
