/** The rows of triggers, cached until one changes; their principals; their secrets, opened when one is first asked for. */
import { and, asc, eq } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import type { Principal } from "../model/principal.ts";
import {
  parseTriggerPrincipalId,
  TRIGGER_KINDS,
  triggerPrincipalId,
  type TriggerHandle,
  type TriggerKind,
  type TriggerManifest,
} from "../model/triggers.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import type { Change } from "./draft.ts";
import { Lru } from "./lru.ts";
import { openSecretValues } from "./modules.ts";
import { entities } from "./schema.ts";
import type { MasterKey } from "./seal.ts";

type Seen = () => number;
type Stored = { manifest: Record<string, unknown>; digest: string; revision: number };

export class Triggers {
  readonly #database: Database;
  readonly #masterKey: () => Promise<MasterKey>;
  readonly #cache = new Lru<TriggerHandle>({ maxEntries: 5_000, maxBytes: 20_000_000 });
  readonly #all = new Map<TriggerKind, readonly TriggerHandle[]>();
  readonly #secrets = new WeakMap<TriggerHandle, Promise<readonly string[]>>();

  constructor(database: Database, masterKey: () => Promise<MasterKey>) {
    this.#database = database;
    this.#masterKey = masterKey;
  }

  /** `seen`: the newest registry revision known; what was read before a change is not kept. */
  async get<K extends TriggerKind>(kind: K, name: string, seen: Seen): Promise<TriggerHandle<K> | undefined> {
    const key = triggerPrincipalId(kind, name);
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached as unknown as TriggerHandle<K>;
    const before = seen();
    const [row] = await this.#read(kind, name);
    if (row === undefined) return undefined;
    const handle = toHandle(row);
    if (before === seen()) this.#cache.set(key, handle, JSON.stringify(row.manifest).length + 500);
    return handle as unknown as TriggerHandle<K>;
  }

  /** Every one of the kind, in the order of their names. */
  async all<K extends TriggerKind>(kind: K, seen: Seen): Promise<readonly TriggerHandle<K>[]> {
    const known = this.#all.get(kind);
    if (known !== undefined) return known as unknown as readonly TriggerHandle<K>[];
    const before = seen();
    const all = (await this.#read(kind)).map(toHandle);
    if (before === seen()) this.#all.set(kind, all);
    return all as unknown as readonly TriggerHandle<K>[];
  }

  /** Values of the secrets that the row names, in its order. Throws secret_unavailable. */
  async secretsOf(handle: TriggerHandle<"webhook"> | TriggerHandle<"subscription">): Promise<readonly string[]> {
    const opened = this.#secrets.get(handle) ?? openSecretValues(this.#database, handle, this.#masterKey);
    this.#secrets.set(handle, opened);
    try {
      return await opened;
    } catch (error) {
      this.#secrets.delete(handle);
      throw error;
    }
  }

  /** Whose rights what it starts has; undefined when the id is not a trigger's. Throws trigger_inactive. */
  async principal(id: string, seen: Seen): Promise<Principal | undefined> {
    const parsed = parseTriggerPrincipalId(id);
    if (parsed === undefined) return undefined;
    const { kind, name } = parsed;
    const row = await this.get(kind, name, seen);
    if (row?.active === true) return { id, name: id, scopes: row.scopes };
    throw new SwitchyardError(
      "trigger_inactive",
      `Cannot act for the ${kind} "${name}": it must be there and active; it is ${row === undefined ? "deleted" : "switched off"}`,
    );
  }

  forget(change: Change | undefined): void {
    if (change === undefined) {
      this.#cache.clear();
      this.#all.clear();
      return;
    }
    // The values of secrets hang on the handles, so those that name a changed one go too.
    if (change.kind === "secret") {
      this.#cache.deleteWhere((_key, handle) => "secrets" in handle && handle.secrets.includes(change.name));
      this.#all.clear();
      return;
    }
    const kind = TRIGGER_KINDS.find((each) => each === change.kind);
    if (kind === undefined) return;
    this.#cache.delete(triggerPrincipalId(kind, change.name));
    this.#all.delete(kind);
  }

  async #read(kind: TriggerKind, name?: string): Promise<Stored[]> {
    try {
      return await this.#database
        .select({ manifest: entities.manifest, digest: entities.digest, revision: entities.revision })
        .from(entities)
        .where(and(eq(entities.kind, kind), ...(name === undefined ? [] : [eq(entities.name, name)])))
        .orderBy(asc(entities.name));
    } catch (error) {
      throw fromDatabaseError(error);
    }
  }
}

function toHandle({ manifest, digest, revision }: Stored): TriggerHandle {
  return { ...(manifest as TriggerManifest[TriggerKind]), digest, revision };
}
