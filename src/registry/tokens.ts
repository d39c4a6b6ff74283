/**
 * Bearers → principals, from the cache. The database keeps only hashes; this keeps the text of bearers that were lately
 * found genuine, because hashing one for every call would cost more than all the rest of authentication. A text that is
 * not known is always hashed and compared in constant time, so an attacker's guesses never meet the quick way.
 */
import { eq, sql } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import { sha256 } from "../core/hash.ts";
import type { Token } from "../model/entities.ts";
import type { Principal } from "../model/principal.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import type { Change } from "./draft.ts";
import { Lru } from "./lru.ts";
import { tokenUse } from "./schema.ts";

type Entry = {
  principal: Principal;
  secretSha256: string;
  active: boolean;
  expiresAt: number;
  registryRevision: number;
};

/** Rows from before there were limits have none. */
type StoredToken = Omit<Token, "rate_limit"> & Partial<Pick<Token, "rate_limit">>;

const BEARER = /^sy_([0-9a-hjkmnp-tv-z]{16})_([0-9a-hjkmnp-tv-z]{32})$/;
const USE_EVERY_MS = 60_000;

export type TokensOptions = { database: Database; now: () => number; seen: () => number };

export class Tokens {
  readonly #options: TokensOptions;
  readonly #cache = new Lru<Entry>({ maxEntries: 10_000, maxBytes: 8_000_000 });
  /** Bearer → the very entry that it was checked against. Emptied with any change of any token. */
  readonly #genuine = new Lru<Entry>({ maxEntries: 1_000, maxBytes: Number.POSITIVE_INFINITY });
  /** Token id → when its use was last written down. */
  readonly #noted = new Lru<number>({ maxEntries: 10_000, maxBytes: Number.POSITIVE_INFINITY });

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** Throws token_unknown, token_revoked, token_expired. The first says nothing about which half was wrong. */
  async authenticate(bearer: string): Promise<Principal> {
    const genuine = this.#genuine.get(bearer);
    if (genuine !== undefined) return this.#valid(genuine);
    const [, id, secret] = BEARER.exec(bearer) ?? [];
    if (id === undefined || secret === undefined) throw unknown();
    const [entry, hash] = await Promise.all([this.#entry(id), sha256(secret)]);
    // Hashing comes first in any case, and comparing takes the same time wherever the hashes differ.
    if (entry === undefined || !sameText(entry.secretSha256, hash)) throw unknown();
    // Only while the entry is the cached one: a change that came in between has emptied both.
    if (this.#cache.get(id) === entry) this.#genuine.set(bearer, entry, 0);
    return this.#valid(entry);
  }

  async byId(id: string): Promise<Principal> {
    const entry = await this.#entry(id);
    if (entry === undefined) throw unknown();
    return this.#valid(entry);
  }

  /** Writes down that the token is in use, at most once a minute; undefined if that was done lately. */
  noteUse(id: string): Promise<void> | undefined {
    const now = this.#options.now();
    const noted = this.#noted.get(id);
    if (noted !== undefined && now - noted < USE_EVERY_MS) return undefined;
    this.#noted.set(id, now, 0);
    return this.#writeUse(id, new Date(now).toISOString());
  }

  forget(change: Change | undefined): void {
    if (change === undefined || change.kind === "token") this.#genuine.clear();
    if (change === undefined) this.#cache.clear();
    else if (change.kind === "token") {
      this.#cache.deleteWhere(
        (_id, entry) => entry.principal.name === change.name && entry.registryRevision < change.seq,
      );
    }
  }

  #valid(entry: Entry): Principal {
    if (!entry.active) {
      throw new SwitchyardError(
        "token_revoked",
        `Cannot use the token "${entry.principal.name}": it must be active; it was revoked`,
      );
    }
    // The other way round, an expiry that is no number would never come.
    if (!(this.#options.now() < entry.expiresAt)) {
      throw new SwitchyardError(
        "token_expired",
        `Cannot use the token "${entry.principal.name}": it must not have expired; it did at ${Number.isNaN(entry.expiresAt) ? "a time that cannot be read" : new Date(entry.expiresAt).toISOString()}`,
      );
    }
    return entry.principal;
  }

  async #entry(id: string): Promise<Entry | undefined> {
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const entry = await this.#load(id);
    if (entry !== undefined && entry.registryRevision >= this.#options.seen()) this.#cache.set(id, entry, 600);
    return entry;
  }

  async #load(id: string): Promise<Entry | undefined> {
    try {
      const [row] = await this.#options.database.all<{
        name: string;
        secret_sha256: string;
        manifest: string;
        seq: number;
      }>(sql`
        SELECT t.name, t.secret_sha256, e.manifest, (SELECT coalesce(max(seq), 0) FROM changes) AS seq
        FROM token_secrets t JOIN entities e ON e.kind = 'token' AND e.name = t.name
        WHERE t.id = ${id}`);
      if (row === undefined) return undefined;
      const { active, scopes, expires_at: expiresAt, rate_limit: limit } = JSON.parse(row.manifest) as StoredToken;
      return {
        principal: { id, name: row.name, scopes, ...(limit == null ? {} : { rateLimit: limit }) },
        secretSha256: row.secret_sha256,
        active,
        expiresAt: expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
        registryRevision: row.seq,
      };
    } catch (error) {
      throw fromDatabaseError(error);
    }
  }

  /** Best effort: a read-only registry must not stop anybody from calling. */
  async #writeUse(id: string, at: string): Promise<void> {
    try {
      await this.#options.database
        .insert(tokenUse)
        .values({ id, last_used_at: at })
        .onConflictDoUpdate({ target: tokenUse.id, set: { last_used_at: at }, setWhere: eq(tokenUse.id, id) });
    } catch {
      this.#noted.delete(id);
    }
  }
}

function unknown(): SwitchyardError {
  return new SwitchyardError("token_unknown", "Cannot accept the token: it must be one of this registry; it is not", {
    hint: "opctl token create makes one",
  });
}

function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at % b.length);
  return difference === 0;
}
