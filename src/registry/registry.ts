/**
 * The registry as the rest of the platform sees it. Reading goes through caches that know how old they may be
 * (freshness.ts); writing goes through drafts (write.ts) and is visible to this object's readers at once.
 */
import { SwitchyardError } from "../core/errors.ts";
import type { AdapterDescription, EnvironmentHandle } from "../model/environment.ts";
import type { Kind } from "../model/entities.ts";
import type { IsolateDefinition } from "../model/invocation.ts";
import type { Caller, Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import type { ExposureRow } from "../model/services.ts";
import type { StateMachine } from "../model/state-machines.ts";
import type { RowHandle, TriggerHandle, TriggerKind } from "../model/triggers.ts";
import { builtinTypes } from "./builtins/definitions.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import { describeOperations, listDigests, type Described, type DescribeOptions, type Wanted } from "./describe.ts";
import { currentRevision, type Change } from "./draft.ts";
import { Environments } from "./environments.ts";
import { Freshness } from "./freshness.ts";
import { install, type Installable } from "./install.ts";
import { loadIsolate, readModuleCode, writeModuleCode } from "./modules.ts";
import { Operations } from "./operations.ts";
import type { PathTable } from "./path-table.ts";
import { manifestsOf, wasThere } from "./read.ts";
import { RestPaths } from "./rest-paths.ts";
import { Rows } from "./rows.ts";
import { importMasterKey, type MasterKey } from "./seal.ts";
import { fingerprint, selectOperations, type Selection } from "./select.ts";
import { Tokens } from "./tokens.ts";
import { createWriter, type Write, type Written } from "./write.ts";

export type RegistryOptions = {
  database: Database;
  /** 32 bytes in base64: seals and opens secrets. */
  masterKey: string;
  /** The adapters that are wired; an environment may use these. */
  adapters: readonly AdapterDescription[];
  /** Milliseconds since the epoch. */
  clock?: () => number;
  /** How old the caches may be before a reader looks at the change log again. Milliseconds. */
  maxStaleMs?: number;
  /** Keeps work alive that nobody waits for (waitUntil). */
  background?: (work: Promise<unknown>) => void;
  /** Told of what changes. `seen`: somebody wrote it, undefined: anything may have changed; `wrote`: this did, and waits. */
  followers?: { seen(change: Change | undefined): void; wrote(changes: readonly Change[]): Promise<void> };
  /** Bounds of the cache of operations. */
  cache?: { maxEntries: number; maxBytes: number };
};

/** How long cached entries are served while the database is silent. Milliseconds. */
const OPERATIONS_LIMIT_MS = 10 * 60_000;
const TOKENS_LIMIT_MS = 60_000;

export type Registry = ReturnType<typeof createRegistry>;

export function createRegistry(options: RegistryOptions) {
  const { database } = options;
  const now = options.clock ?? Date.now;
  let masterKey: Promise<MasterKey> | undefined;
  const ports = {
    adapters: options.adapters,
    builtin: builtinTypes,
    // Imported when first needed, so that a bad key stops secrets and nothing else.
    get masterKey() {
      return (masterKey ??= importMasterKey(options.masterKey));
    },
  };
  const environments = new Environments(database, () => ports.masterKey);
  const rows = new Rows(database, () => ports.masterKey);
  const freshness = new Freshness({ database, now, maxStaleMs: options.maxStaleMs ?? 1_000, onChange });
  const seen = () => freshness.seen;
  const operations = new Operations(database, {
    seen,
    ...(options.cache ?? { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 }),
  });
  const restPaths = new RestPaths(database);
  const tokens = new Tokens({ database, now, seen });
  const write = createWriter(database, ports, now);

  let noting = false;
  function onChange(change: Change | undefined): void {
    operations.forget(change);
    tokens.forget(change);
    environments.forget(change);
    restPaths.forget(change);
    rows.forget(change);
    if (!noting) options.followers?.seen(change);
  }

  /** What this very registry wrote: whoever follows is told by the writer, who waits for it. */
  async function note(changes: readonly Change[]): Promise<void> {
    noting = true;
    freshness.note(changes);
    noting = false;
    await options.followers?.wrote(changes);
  }

  async function atLeast(minRegistryRevision: number | undefined): Promise<void> {
    if (minRegistryRevision === undefined || freshness.seen >= minRegistryRevision) return;
    await freshness.look();
    if (freshness.seen >= minRegistryRevision) return;
    throw new SwitchyardError(
      "registry_behind",
      `Cannot serve registry revision ${minRegistryRevision}: it must be visible here; what is visible is ${Math.max(0, freshness.seen)}`,
    );
  }

  return {
    database,

    /** The operation in force, or a pinned revision of it. `stale`: the database is silent, this is from the cache. */
    async resolve(
      name: string,
      wanted: { revision?: number; minRegistryRevision?: number } = {},
    ): Promise<{ operation: ResolvedOperation; stale: boolean }> {
      const stale = freshness.blank ? false : await freshness.ensure(OPERATIONS_LIMIT_MS);
      await atLeast(wanted.minRegistryRevision);
      const { operation, registryRevision } = await operations.get(name, wanted.revision);
      freshness.start(registryRevision);
      return { operation, stale };
    },

    /** The paths of operations, each with the operation that answers there. */
    async restPaths(wanted: { minRegistryRevision?: number } = {}): Promise<PathTable> {
      if (freshness.blank) {
        // Read first: whatever changes after it is followed from there.
        const revision = await currentRevision(database).catch((error: unknown) => {
          throw fromDatabaseError(error);
        });
        freshness.start(revision);
      } else await freshness.ensure(OPERATIONS_LIMIT_MS);
      await atLeast(wanted.minRegistryRevision);
      return restPaths.table();
    },

    /** `bearer` is a token's text. Throws token_unknown, token_revoked, token_expired. */
    async authenticate(bearer: string): Promise<Principal> {
      if (!freshness.blank) await freshness.ensure(TOKENS_LIMIT_MS);
      const principal = await tokens.authenticate(bearer);
      const noted = tokens.noteUse(principal.id);
      if (noted !== undefined) options.background?.(noted);
      return principal;
    },

    /** A token's id, or `KIND:NAME` of a trigger. Throws also trigger_inactive. */
    async principalById(id: string): Promise<Principal> {
      if (!freshness.blank) await freshness.ensure(TOKENS_LIMIT_MS);
      return (await rows.principal(id, seen)) ?? tokens.byId(id);
    },

    /** The trigger's row; undefined when there is none. */
    async trigger<K extends TriggerKind>(kind: K, name: string): Promise<TriggerHandle<K> | undefined> {
      if (!freshness.blank) await freshness.ensure(OPERATIONS_LIMIT_MS);
      return rows.get(kind, name, seen);
    },

    /** Every trigger of the kind, in the order of their names. */
    async triggers<K extends TriggerKind>(kind: K): Promise<readonly TriggerHandle<K>[]> {
      if (!freshness.blank) await freshness.ensure(OPERATIONS_LIMIT_MS);
      return rows.all(kind, seen);
    },

    /** Those of the names that there are; `fresh`: from the database and not from the cache. */
    async triggersNamed<K extends TriggerKind>(
      kind: K,
      names: readonly string[],
      { fresh = false } = {},
    ): Promise<readonly TriggerHandle<K>[]> {
      if (!freshness.blank) await freshness.ensure(OPERATIONS_LIMIT_MS);
      return fresh ? rows.fresh(kind, names, seen) : rows.named(kind, names, seen);
    },

    /** Names of triggers that changed after the registry revision; this tells everything up to `upto`. */
    triggersChangedSince: (kind: TriggerKind, since: number, limit: number) => rows.changedSince(kind, since, limit),

    /** The same, where it is known without a wait; as new as the last look at anything. */
    knownTriggers: <K extends TriggerKind>(kind: K): readonly TriggerHandle<K>[] | undefined => rows.known(kind),

    /** The definitions of those of the names that there are, and their revisions, from the database and not from a cache. */
    manifests: (kind: Kind, names: readonly string[]) => manifestsOf(database, kind, names),

    /** Whether there is, or ever was, an entry of that name. */
    wasThere: (kind: Kind, name: string) => wasThere(database, kind, name),

    /** Values of the secrets that a trigger's row names, in its order. Throws secret_unavailable. */
    triggerSecrets: (handle: TriggerHandle<"webhook"> | TriggerHandle<"subscription">): Promise<readonly string[]> =>
      rows.secretsOf(handle),

    /** Environment variable → the value of the secret that fills it. Throws secret_unavailable. */
    serviceSecrets: (handle: TriggerHandle<"service">): Promise<Readonly<Record<string, string>>> =>
      rows.variablesOf(handle),

    /** The exposure's row; undefined when there is none. */
    async exposure(name: string): Promise<RowHandle<ExposureRow> | undefined> {
      if (!freshness.blank) await freshness.ensure(OPERATIONS_LIMIT_MS);
      return rows.get("exposure", name, seen);
    },

    /** Every exposure, in the order of their names. */
    async exposures(): Promise<readonly RowHandle<ExposureRow>[]> {
      if (!freshness.blank) await freshness.ensure(OPERATIONS_LIMIT_MS);
      return rows.all("exposure", seen);
    },

    /** The state machine's row; undefined when there is none. */
    async stateMachine(name: string): Promise<RowHandle<StateMachine> | undefined> {
      if (!freshness.blank) await freshness.ensure(OPERATIONS_LIMIT_MS);
      return rows.get("state_machine", name, seen);
    },

    /** The environment's row, or a revision of it, which outlives the row; undefined when there is none. */
    async environment(name: string, revision?: number): Promise<EnvironmentHandle | undefined> {
      if (!freshness.blank) await freshness.ensure(OPERATIONS_LIMIT_MS);
      return environments.get(name, seen, revision);
    },

    /** Every environment, in the order of their names. */
    async environments(): Promise<readonly EnvironmentHandle[]> {
      if (!freshness.blank) await freshness.ensure(OPERATIONS_LIMIT_MS);
      return environments.all(seen);
    },

    /** Since the caches here last knew the state of the registry; undefined: never. Milliseconds. */
    ageMs: (): number | undefined => freshness.ageMs,

    /** operation + code hash + what it is granted: see IsolateSpec.id. */
    isolateId: (operation: ResolvedOperation): string => operations.isolateId(operation),

    async loadIsolate(operation: ResolvedOperation): Promise<IsolateDefinition> {
      return loadIsolate(database, operation, () => ports.masterKey);
    },

    moduleCode: (sha256: string): Promise<string | undefined> => readModuleCode(database, sha256),

    /** Throws module_hash_mismatch when the bytes do not have that hash. */
    putModuleCode: (sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> =>
      writeModuleCode(database, sha256, { bytes, at: new Date(now()).toISOString() }),

    /** Names and digests of the operations in force, in the order of their names; and some of them with closed types. */
    listDigests: (page: DescribeOptions) => listDigests(database, page),
    describeOperations: (wanted: Wanted): Promise<Described[]> => describeOperations(database, wanted),

    /** Those of a selection, and a text that is another one after any of them was written, came or went. */
    selectOperations: (page: Selection & { limit: number; cursor: string | undefined }) =>
      selectOperations(database, page),
    fingerprint: (selection: Selection): Promise<string> => fingerprint(database, selection),

    /** The newest registry revision known here: as fresh as what is cached, and cheap to ask for again and again. */
    async known(): Promise<number> {
      await freshness.ensure(OPERATIONS_LIMIT_MS);
      return freshness.seen;
    },

    /** The registry revision, asked of the database now. */
    async revision(): Promise<number> {
      try {
        return await currentRevision(database);
      } catch (error) {
        throw fromDatabaseError(error);
      }
    },

    /** Changes an entry. Checks no scope but secrets:use: that is for the built-in in front of it. */
    async write(change: Write, principal: Principal, caller?: Caller): Promise<Written> {
      const written = await write(change, principal, caller);
      await note(written.changes);
      return written;
    },

    /** Creates and upgrades entries that come with the platform, in one batch. Leaves alone what somebody changed. */
    async install(entries: readonly Installable[]): Promise<Change[]> {
      const changes = await install(entries, { database, ports, now });
      await note(changes);
      return changes;
    },
  };
}
