/**
 * Rows that are used as they are, cached until one changes: triggers, and what services go by. With them the principals of
 * triggers, and their secrets, opened when one is first asked for.
 */
import { and, asc, eq, gt, inArray } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import type { Principal } from "../model/principal.ts";
import type { ExposureRow } from "../model/services.ts";
import type { StateMachine } from "../model/state-machines.ts";
import {
  parseTriggerPrincipalId,
  TRIGGER_KINDS,
  type RowHandle,
  type TriggerHandle,
  type TriggerManifest,
} from "../model/triggers.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import { currentRevision, type Change } from "./draft.ts";
import { Lru } from "./lru.ts";
import { openSecretValues, openVariables } from "./open-secrets.ts";
import { changes, entities } from "./schema.ts";
import type { MasterKey } from "./seal.ts";

type Seen = () => number;
type Manifests = TriggerManifest & { exposure: ExposureRow; state_machine: StateMachine };
const CACHED_KINDS = [...TRIGGER_KINDS, "exposure", "state_machine"] as const;
type CachedKind = keyof Manifests;
type Handle<K extends CachedKind = CachedKind> = RowHandle<Manifests[K]>;
type Stored = { manifest: Record<string, unknown>; digest: string; revision: number; updated_at: string };

/** Names in one query: SQLite bounds its parameters. */
const NAMES_AT_ONCE = 500;

export class Rows {
  readonly #database: Database;
  readonly #masterKey: () => Promise<MasterKey>;
  readonly #cache = new Lru<Handle>({ maxEntries: 5_000, maxBytes: 20_000_000 });
  /** Names without a row: anybody may ask for any, and the database must not pay for that. */
  readonly #absent = new Lru<true>({ maxEntries: 5_000, maxBytes: 1_000_000 });
  readonly #all = new Map<CachedKind, readonly Handle[]>();
  readonly #secrets = new WeakMap<Handle, Promise<readonly string[]>>();
  readonly #variables = new WeakMap<TriggerHandle<"service">, Promise<Readonly<Record<string, string>>>>();

  constructor(database: Database, masterKey: () => Promise<MasterKey>) {
    this.#database = database;
    this.#masterKey = masterKey;
  }

  /** `seen`: the newest registry revision known; what was read before a change is not kept. */
  async get<K extends CachedKind>(kind: K, name: string, seen: Seen): Promise<Handle<K> | undefined> {
    const key = keyOf(kind, name);
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached as unknown as Handle<K>;
    if (this.#absent.get(key) === true) return undefined;
    const before = seen();
    const [row] = await this.#read(kind, [name]);
    if (row === undefined) {
      if (before === seen()) this.#absent.set(key, true, key.length + 50);
      return undefined;
    }
    const handle = toHandle(row);
    if (before === seen()) this.#cache.set(key, handle, JSON.stringify(row.manifest).length + 500);
    return handle as unknown as Handle<K>;
  }

  /** Those of the names that there are. */
  async named<K extends CachedKind>(kind: K, names: readonly string[], seen: Seen): Promise<readonly Handle<K>[]> {
    const unknown = names.filter((name) => this.#cache.get(keyOf(kind, name)) === undefined);
    const read = new Map<string, Handle<K>>();
    for (const handle of unknown.length === 0 ? [] : await this.fresh(kind, unknown, seen))
      read.set(handle.name, handle);
    return names.flatMap((name) => {
      const handle = read.get(name) ?? this.#cache.get(keyOf(kind, name));
      return handle === undefined ? [] : [handle as unknown as Handle<K>];
    });
  }

  /** As named(), from the database and not from the cache. */
  async fresh<K extends CachedKind>(kind: K, names: readonly string[], seen: Seen): Promise<readonly Handle<K>[]> {
    const handles: Handle<K>[] = [];
    for (let at = 0; at < names.length; at += NAMES_AT_ONCE) {
      const before = seen();
      for (const row of await this.#read(kind, names.slice(at, at + NAMES_AT_ONCE))) {
        const handle = toHandle(row);
        const bytes = JSON.stringify(row.manifest).length + 500;
        if (before === seen()) this.#cache.set(keyOf(kind, handle.name), handle, bytes);
        handles.push(handle as unknown as Handle<K>);
      }
    }
    return handles;
  }

  /** Names of those that changed after the registry revision, up to another one, from the database. */
  async changedSince(
    kind: CachedKind,
    since: number,
    limit: number,
  ): Promise<{ names: readonly string[]; upto: number; more: boolean }> {
    try {
      // Before the changes: what is written in between is told the next time.
      const upto = await currentRevision(this.#database);
      const found = await this.#database
        .select({ seq: changes.seq, name: changes.name })
        .from(changes)
        .where(and(eq(changes.kind, kind), gt(changes.seq, since)))
        .orderBy(asc(changes.seq))
        .limit(limit);
      const more = found.length === limit;
      const last = found.at(-1)?.seq ?? 0;
      return { names: [...new Set(found.map(({ name }) => name))], upto: more ? last : Math.max(upto, last), more };
    } catch (error) {
      throw fromDatabaseError(error);
    }
  }

  /** Every one of the kind, in the order of their names. */
  async all<K extends CachedKind>(kind: K, seen: Seen): Promise<readonly Handle<K>[]> {
    const known = this.#all.get(kind);
    if (known !== undefined) return known as unknown as readonly Handle<K>[];
    const before = seen();
    const all = (await this.#read(kind)).map(toHandle);
    if (before === seen()) this.#all.set(kind, all);
    return all as unknown as readonly Handle<K>[];
  }

  /** As all(), if that is known without a look. */
  known<K extends CachedKind>(kind: K): readonly Handle<K>[] | undefined {
    return this.#all.get(kind) as unknown as readonly Handle<K>[] | undefined;
  }

  /** Values of the secrets that the row names, in its order. Throws secret_unavailable. */
  secretsOf(handle: TriggerHandle<"webhook"> | TriggerHandle<"subscription">): Promise<readonly string[]> {
    return once(this.#secrets, handle, () => this.#open(handle));
  }

  /** Environment variable → the value of the secret that fills it. Throws secret_unavailable. */
  variablesOf(handle: TriggerHandle<"service">): Promise<Readonly<Record<string, string>>> {
    return once(this.#variables, handle, () => openVariables(this.#database, handle, this.#masterKey));
  }

  async #open(handle: TriggerHandle<"webhook"> | TriggerHandle<"subscription">): Promise<readonly string[]> {
    const { name, secrets } = handle;
    const group = "scheme" in handle ? await this.#groupOf(handle.operation) : undefined;
    return openSecretValues(this.#database, { name, secrets, group }, this.#masterKey);
  }

  /** "", which is no group, where the operation is gone. */
  async #groupOf(operation: string): Promise<string> {
    try {
      const [row] = await this.#database
        .select({ manifest: entities.manifest })
        .from(entities)
        .where(and(eq(entities.kind, "operation"), eq(entities.name, operation)));
      return (row?.manifest["group"] ?? "") as string;
    } catch (error) {
      throw fromDatabaseError(error);
    }
  }

  /** Whose rights what it starts has; undefined when the id is not a trigger's. Throws trigger_inactive. */
  async principal(id: string, seen: Seen): Promise<Principal | undefined> {
    const parsed = parseTriggerPrincipalId(id);
    if (parsed === undefined) return undefined;
    const { kind, name } = parsed;
    const row = await this.get(kind, name, seen);
    // One that is switched off still stops what it has started.
    if (row?.active === true || (row !== undefined && kind === "service")) return { id, name: id, scopes: row.scopes };
    throw new SwitchyardError(
      "trigger_inactive",
      `Cannot act for the ${kind} "${name}": it must be there and active; it is ${row === undefined ? "deleted" : "switched off"}`,
    );
  }

  forget(change: Change | undefined): void {
    if (change === undefined) {
      this.#cache.clear();
      this.#absent.clear();
      this.#all.clear();
      return;
    }
    if (change.kind === "secret") {
      this.#cache.deleteWhere((_key, handle) => namesSecret(handle, change.name));
      this.#all.clear();
      return;
    }
    // Whether a webhook's secrets may be used is decided by the group of its operation.
    if (change.kind === "operation")
      this.#cache.deleteWhere((_key, handle) => "scheme" in handle && handle.operation === change.name);
    const kind = CACHED_KINDS.find((each) => each === change.kind);
    if (kind === undefined) return;
    this.#cache.delete(keyOf(kind, change.name));
    this.#absent.delete(keyOf(kind, change.name));
    this.#all.delete(kind);
  }

  async #read(kind: CachedKind, names?: readonly string[]): Promise<Stored[]> {
    try {
      return await this.#database
        .select({
          manifest: entities.manifest,
          digest: entities.digest,
          revision: entities.revision,
          updated_at: entities.updated_at,
        })
        .from(entities)
        .where(and(eq(entities.kind, kind), ...(names === undefined ? [] : [inArray(entities.name, [...names])])))
        .orderBy(asc(entities.name));
    } catch (error) {
      throw fromDatabaseError(error);
    }
  }
}

/** The values of secrets hang on the handles, so those that name a changed one go too. */
function namesSecret(handle: Handle, secret: string): boolean {
  if (!("secrets" in handle)) return false;
  return Object.values(handle.secrets).includes(secret);
}

function toHandle({ manifest, ...row }: Stored): Handle {
  return { ...(manifest as Manifests[CachedKind]), ...row };
}

function keyOf(kind: CachedKind, name: string): string {
  return `${kind} ${name}`;
}

/** Shared by all who ask; a failure is not kept. */
async function once<H extends Handle, T>(known: WeakMap<H, Promise<T>>, handle: H, open: () => Promise<T>): Promise<T> {
  const opened = known.get(handle) ?? open();
  known.set(handle, opened);
  try {
    return await opened;
  } catch (error) {
    known.delete(handle);
    throw error;
  }
}
