/**
 * Operations, resolved and ready to run, from the cache. A miss costs one round trip: the row, the versions of its
 * secrets and the registry revision they belong to come from one statement, so they fit together.
 */
import { sql } from "drizzle-orm";
import { didYouMean } from "../core/did-you-mean.ts";
import { SwitchyardError } from "../core/errors.ts";
import { sha256 } from "../core/hash.ts";
import { LIMITS } from "../core/limits.ts";
import { DEFAULT_RETRY } from "../model/entities.ts";
import type { RateLimit } from "../model/rate-limit.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { compileType } from "../types/index.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import type { Change } from "./draft.ts";
import { environmentsOf, implementationOf, type OperationResolved } from "./kinds/operation-resolved.ts";
import { withDefaults } from "./kinds/operation-settings.ts";
import { Lru } from "./lru.ts";
import type { Json } from "./schema.ts";
import { within } from "../core/within.ts";

type Entry = { operation: ResolvedOperation; isolateId: string; registryRevision: number };
type Loaded = { entry: Entry; bytes: number };

/** One answer of the query below; the columns of the row are null when there is no such operation. */
type Found = {
  seq: number;
  revision: number | null;
  digest: string;
  manifest: string;
  resolved: string;
  active: number;
  group_now: string;
  rate_limit_now: string | null;
  secret_versions: string;
};

/** How long a caller waits for a query that another caller started. Milliseconds. */
const SHARED_MS = 1_000;

export class Operations {
  readonly #database: Database;
  readonly #cache: Lru<Entry>;
  readonly #loading = new Map<string, Promise<Loaded>>();
  readonly #isolateIds = new WeakMap<ResolvedOperation, string>();
  /** The newest registry revision that this cache has been told about. */
  readonly #seen: () => number;

  constructor(database: Database, options: { seen: () => number; maxEntries: number; maxBytes: number }) {
    this.#database = database;
    this.#seen = options.seen;
    this.#cache = new Lru(options);
  }

  /** Without a revision: the one in force. Throws operation_not_found. */
  async get(name: string, revision: number | undefined): Promise<Entry> {
    const key = revision === undefined ? name : `${name}@${revision}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const { entry, bytes } = await this.#share(key, () => this.#load(name, revision));
    // Read before a change that is known by now: good for this call, which began before it, but not for the next.
    if (entry.registryRevision >= this.#seen()) this.#cache.set(key, entry, bytes);
    return entry;
  }

  isolateId(operation: ResolvedOperation): string {
    const id = this.#isolateIds.get(operation);
    if (id === undefined)
      throw new SwitchyardError(
        "internal",
        `Cannot name the isolate of "${operation.name}": it must come from this registry; it does not`,
      );
    return id;
  }

  forget(change: Change | undefined): void {
    if (change === undefined) this.#cache.clear();
    else if (change.kind === "operation" || change.kind === "secret") {
      this.#cache.deleteWhere(
        (_key, { operation, registryRevision }) =>
          registryRevision < change.seq &&
          (change.kind === "operation" ? operation.name === change.name : operation.secrets.includes(change.name)),
      );
    }
  }

  async #share(key: string, load: () => Promise<Loaded>): Promise<Loaded> {
    const shared = this.#loading.get(key);
    if (shared !== undefined) {
      const result = await within(SHARED_MS, shared);
      if (result !== undefined) return result.value;
    }
    const own = load();
    this.#loading.set(key, own);
    try {
      return await own;
    } finally {
      if (this.#loading.get(key) === own) this.#loading.delete(key);
    }
  }

  async #load(name: string, revision: number | undefined): Promise<Loaded> {
    const found = await this.#find(name, revision);
    if (found === undefined || found.revision === null) throw await this.#notFound(name, revision);
    const manifest = withDefaults(JSON.parse(found.manifest) as Json);
    const resolved = JSON.parse(found.resolved) as OperationResolved;
    const [input, output] = await Promise.all([
      compileType(resolved.input.closed, nothing),
      compileType(resolved.output.closed, nothing),
    ]);
    const operation: ResolvedOperation = {
      name,
      revision: found.revision,
      digest: found.digest,
      group: found.group_now,
      secretsGroup: manifest.group,
      active: found.active === 1,
      timeoutMs: manifest.timeout_ms ?? LIMITS.syncTimeoutMs,
      attemptTimeoutMs: manifest.timeout_ms ?? LIMITS.attemptTimeoutMs,
      isAsync: manifest.is_async,
      batch: manifest.batch,
      retry: manifest.retry ?? DEFAULT_RETRY,
      concurrency: manifest.concurrency,
      rateLimit: found.rate_limit_now === null ? null : (JSON.parse(found.rate_limit_now) as RateLimit),
      record: manifest.record,
      retentionMs: manifest.retention_ms ?? LIMITS.retentionMs,
      implementation: implementationOf(resolved),
      input,
      output,
      environments: environmentsOf(manifest),
      requires: manifest.requires,
      network: manifest.network,
      secrets: manifest.secrets,
      repeatable: manifest.annotations?.idempotent === true || manifest.annotations?.read_only === true,
    };
    const isolateId = await isolateIdOf(operation, found.secret_versions);
    this.#isolateIds.set(operation, isolateId);
    // What a compiled type weighs is not to be had; several times its text is a fair guess.
    const bytes = 1_000 + 6 * (found.manifest.length + found.resolved.length);
    return { entry: { operation, isolateId, registryRevision: found.seq }, bytes };
  }

  /** `active`, group and rate limit are always those of the row in force: what closes an operation closes its old revisions. */
  async #find(name: string, revision: number | undefined): Promise<Found | undefined> {
    const pinned = sql`LEFT JOIN revisions r ON r.kind = 'operation' AND r.name = e.name AND r.revision = ${revision ?? 0}`;
    const source = revision === undefined ? sql.raw("e") : sql.raw("r");
    try {
      const [row] = await this.#database.all<Found>(sql`
        SELECT s.seq, ${source}.revision, ${source}.digest, ${source}.manifest, ${source}.resolved,
          json_extract(e.manifest, '$.active') AS active, json_extract(e.manifest, '$.group') AS group_now,
          json_extract(e.manifest, '$.rate_limit') AS rate_limit_now,
          (SELECT json_group_object(v.name, v.version) FROM secret_values v
            WHERE v.name IN (SELECT value FROM json_each(${source}.manifest, '$.secrets'))) AS secret_versions
        FROM (SELECT coalesce(max(seq), 0) AS seq FROM changes) s
        LEFT JOIN entities e ON e.kind = 'operation' AND e.name = ${name}
        ${revision === undefined ? sql.raw("") : pinned}`);
      return row;
    } catch (error) {
      throw fromDatabaseError(error);
    }
  }

  async #notFound(name: string, revision: number | undefined): Promise<SwitchyardError> {
    // Mistyped names mostly begin right: the neighbours in the alphabet are enough, and cheap with any number of rows.
    const near = await this.#database
      .all<{ name: string }>(sql`
        SELECT name FROM (SELECT name FROM entities WHERE kind = 'operation' AND name >= ${name} ORDER BY name LIMIT 200)
        UNION ALL
        SELECT name FROM (SELECT name FROM entities WHERE kind = 'operation' AND name < ${name} ORDER BY name DESC LIMIT 200)`)
      .catch(() => []);
    const names = near.map((row) => row.name);
    if (revision !== undefined && names.includes(name)) {
      return new SwitchyardError(
        "operation_not_found",
        `Cannot find "${name}@${revision}": the revision must be stored; it is not`,
        {
          hint: `opctl call list_operation_revision name=${name}`,
        },
      );
    }
    const nearest = didYouMean(name, names);
    return new SwitchyardError(
      "operation_not_found",
      `Cannot find the operation "${name}": it must be registered; it is not`,
      {
        hint: nearest === undefined ? "opctl get operations" : `Did you mean "${nearest}"?`,
      },
    );
  }
}

/** A closed type names nothing outside itself. */
const nothing = () => undefined;

/** The same id always means the same behaviour, and nothing but behaviour is part of it: a loaded isolate costs memory. */
async function isolateIdOf(operation: ResolvedOperation, secretVersions: string): Promise<string> {
  const { implementation } = operation;
  if (implementation.kind === "builtin") return `builtin.${implementation.function}`;
  // Only modules are loaded anywhere.
  if (implementation.kind !== "module") return `${implementation.kind}.${operation.name}`;
  const versions = JSON.parse(secretVersions) as Record<string, string>;
  const granted = await sha256(
    JSON.stringify([
      implementation.export,
      operation.network.toSorted(),
      operation.secrets.toSorted().map((name) => [name, versions[name]]),
    ]),
  );
  return `${operation.name}.${implementation.sha256.slice(0, 32)}.${granted.slice(0, 32)}`;
}
