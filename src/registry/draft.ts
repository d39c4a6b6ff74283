/**
 * A write being worked out. It starts from the registry at one revision, collects what is to change, and lands as one
 * batch whose first statement claims the next places in the change log. Either all of it is there afterwards or
 * nothing; if another writer was faster the claim clashes and the whole write is worked out again from the new state.
 */
import { and, eq, max, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { digestOf } from "../core/hash.ts";
import { digestOfUses, GENESIS, hashOfChange, type UsesRow } from "./audit/chain.ts";
import { extendChain } from "./audit/extend-chain.ts";
import type { Kind } from "../model/entities.ts";
import type { Database } from "./database.ts";
import { changes, entities, revisions, uses, type Action, type Json } from "./schema.ts";

export type Row = typeof entities.$inferSelect;
export type Use = { kind: Kind | "path"; name: string; written: boolean };
/** The entry that uses something. */
type User = Use & { kind: Kind };
export type Change = { seq: number; kind: Kind; name: string };

type Staged = {
  kind: Kind;
  name: string;
  action: Action;
  before: Row | undefined;
  row: Row | undefined;
  uses: readonly Use[];
};

/** Who writes, and what asked for it where that was not the author's own request. */
export type Signature = { author: string; caller?: string | undefined; at: string };

type Head = { seq: number; hash: string };

const CHANGES_PER_STATEMENT = 500;

export class Draft {
  readonly database: Database;
  /** The registry revision this draft starts from. */
  readonly base: number;
  readonly author: string;
  readonly at: string;
  /** The hash of the change that this draft starts from. */
  readonly #baseHash: string;
  readonly #caller: string | null;
  readonly #staged = new Map<string, Staged>();
  readonly #also: BatchItem<"sqlite">[] = [];

  private constructor(database: Database, head: Head, { author, caller, at }: Signature) {
    this.database = database;
    this.base = head.seq;
    this.#baseHash = head.hash;
    this.author = author;
    this.#caller = caller ?? null;
    this.at = at;
  }

  /** The revision is read first: whatever changes after this makes the commit clash. */
  static async begin(database: Database, signature: Signature): Promise<Draft> {
    return new Draft(database, await currentHead(database), signature);
  }

  /** The row as it will be after this write. */
  async row(kind: Kind, name: string): Promise<Row | undefined> {
    const staged = this.#staged.get(`${kind} ${name}`);
    if (staged !== undefined) return staged.row;
    return this.stored(kind, name);
  }

  /** The row as it is now. */
  async stored(kind: Kind, name: string): Promise<Row | undefined> {
    const [row] = await this.database
      .select()
      .from(entities)
      .where(and(eq(entities.kind, kind), eq(entities.name, name)));
    return row;
  }

  /** What uses the entity now. */
  async users(kind: Kind | "path", name: string): Promise<User[]> {
    const rows = await this.database
      .select({ kind: uses.kind, name: uses.name, written: uses.written })
      .from(uses)
      .where(and(eq(uses.target_kind, kind), eq(uses.target_name, name)));
    return rows.filter((user) => user.kind !== kind || user.name !== name);
  }

  /** Stages a new revision. One that would equal the current one is no write at all: the current row is the answer. */
  async stage(next: {
    kind: Kind;
    name: string;
    action: Action;
    manifest: Json;
    resolved: Json;
    uses: readonly Use[];
  }): Promise<Row> {
    const { kind, name, action, manifest, resolved } = next;
    const before = this.#staged.get(`${kind} ${name}`)?.before ?? (await this.stored(kind, name));
    const digest = await digestOf({ kind, manifest, resolved });
    if (before?.digest === digest) {
      this.#staged.delete(`${kind} ${name}`);
      return before;
    }
    const row: Row = {
      kind,
      name,
      revision: 1 + (before?.revision ?? (await this.#lastRevision(kind, name))),
      digest,
      manifest,
      resolved,
      created_at: before?.created_at ?? this.at,
      updated_at: this.at,
      updated_by: this.author,
    };
    this.#staged.set(`${kind} ${name}`, { kind, name, action, before, row, uses: next.uses });
    return row;
  }

  remove(before: Row): void {
    const { kind, name } = before;
    this.#staged.set(`${kind} ${name}`, { kind, name, action: "delete", before, row: undefined, uses: [] });
  }

  /** A statement of the same batch that no revision shows: the hash of a token, the sealed value of a secret. */
  also(statement: BatchItem<"sqlite">): void {
    this.#also.push(statement);
  }

  /** Throws what the database throws; a clash is told by isClash(). */
  async commit(): Promise<Change[]> {
    const staged = [...this.#staged.values()];
    if (staged.length === 0) return [];
    const log: (typeof changes.$inferInsert)[] = [];
    let previous = this.#baseHash;
    for (const [index, { kind, name, action, before, row, uses: targets }] of staged.entries()) {
      const change = {
        seq: this.base + 1 + index,
        kind,
        name,
        action,
        author: this.author,
        caller: this.#caller,
        before: before?.digest ?? null,
        after: row?.digest ?? null,
        revision: (row ?? before)?.revision ?? null,
        uses: row === undefined ? null : await digestOfUses(distinct(targets)),
        at: this.at,
      };
      previous = await hashOfChange(previous, change);
      log.push({ ...change, hash: previous });
    }
    const batch: BatchItem<"sqlite">[] = [];
    for (let at = 0; at < log.length; at += CHANGES_PER_STATEMENT) {
      batch.push(this.database.insert(changes).values(log.slice(at, at + CHANGES_PER_STATEMENT)));
    }
    for (const each of staged) batch.push(...this.#statements(each));
    await this.database.batch([...batch, ...this.#also] as [BatchItem<"sqlite">, ...BatchItem<"sqlite">[]]);
    return staged.map(({ kind, name }, index) => ({ seq: this.base + 1 + index, kind, name }));
  }

  #statements({ kind, name, row, uses: targets }: Staged): BatchItem<"sqlite">[] {
    const { database } = this;
    const dropUses = database.delete(uses).where(and(eq(uses.kind, kind), eq(uses.name, name)));
    if (row === undefined) {
      return [database.delete(entities).where(and(eq(entities.kind, kind), eq(entities.name, name))), dropUses];
    }
    const { created_at: _created, updated_at: at, updated_by: author, ...revision } = row;
    const statements: BatchItem<"sqlite">[] = [
      database
        .insert(entities)
        .values(row)
        .onConflictDoUpdate({ target: [entities.kind, entities.name], set: row }),
      database.insert(revisions).values({ ...revision, at, author }),
      dropUses,
    ];
    const rows = distinct(targets).map((target) => Object.assign({ kind, name }, target));
    if (rows.length > 0) statements.push(database.insert(uses).values(rows));
    return statements;
  }

  /** A name that was deleted goes on counting where it stopped, so that name@revision never means two things. */
  async #lastRevision(kind: Kind, name: string): Promise<number> {
    const [row] = await this.database
      .select({ last: max(revisions.revision) })
      .from(revisions)
      .where(and(eq(revisions.kind, kind), eq(revisions.name, name)));
    return row?.last ?? 0;
  }
}

export async function currentRevision(database: Database): Promise<number> {
  const [row] = await database.all<{ seq: number }>(sql`SELECT coalesce(max(seq), 0) AS seq FROM changes`);
  return row?.seq ?? 0;
}

/** The newest change, hashed. */
async function currentHead(database: Database): Promise<Head> {
  for (;;) {
    const [row] = await database
      .select({ seq: changes.seq, hash: changes.hash })
      .from(changes)
      .where(eq(changes.seq, sql`(SELECT max(seq) FROM changes)`));
    if (row === undefined) return { seq: 0, hash: GENESIS };
    if (row.hash !== null) return { seq: row.seq, hash: row.hash };
    await extendChain(database);
  }
}

function distinct(targets: readonly Use[]): (UsesRow & { target_kind: Use["kind"] })[] {
  const found = new Map<string, UsesRow & { target_kind: Use["kind"] }>();
  for (const target of targets) {
    const key = `${target.kind} ${target.name}`;
    const written = target.written || found.get(key)?.written === true;
    found.set(key, { target_kind: target.kind, target_name: target.name, written });
  }
  return [...found.values()];
}
