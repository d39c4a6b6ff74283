/**
 * The rows of environments, cached until one changes; their secrets are opened when an adapter first asks. A revision that is over
 * still says where something was started: it is read as it was, with secrets as they are now.
 */
import { and, asc, eq } from "drizzle-orm";
import type { Environment } from "../model/entities.ts";
import type { EnvironmentHandle } from "../model/environment.ts";
import type { Database } from "./database.ts";
import type { Change } from "./draft.ts";
import { Lru } from "./lru.ts";
import { openEnvironmentSecrets } from "./open-secrets.ts";
import { answered } from "./read.ts";
import { entities, revisions } from "./schema.ts";
import type { MasterKey } from "./seal.ts";

type Stored = { manifest: unknown; digest: string };

export class Environments {
  readonly #database: Database;
  readonly #masterKey: () => Promise<MasterKey>;
  readonly #cache = new Lru<EnvironmentHandle>({ maxEntries: 1_000, maxBytes: 10_000_000 });
  #all: readonly EnvironmentHandle[] | undefined;

  constructor(database: Database, masterKey: () => Promise<MasterKey>) {
    this.#database = database;
    this.#masterKey = masterKey;
  }

  /**
   * `seen`: the newest registry revision known; what was read before a change is not kept. `revision`: as it was then, whatever the
   * row says by now and though it may be gone.
   */
  async get(name: string, seen: () => number, revision?: number): Promise<EnvironmentHandle | undefined> {
    const key = revision === undefined ? name : `${name}@${revision}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const before = seen();
    const [row] = await (revision === undefined ? this.#read(name) : this.#readRevision(name, revision));
    if (row === undefined) return undefined;
    const handle = this.#handle(row);
    if (before === seen()) this.#cache.set(key, handle, JSON.stringify(row.manifest).length + 500);
    return handle;
  }

  async all(seen: () => number): Promise<readonly EnvironmentHandle[]> {
    if (this.#all !== undefined) return this.#all;
    const before = seen();
    const all = (await this.#read()).map((row) => this.#handle(row));
    if (before === seen()) this.#all = all;
    return all;
  }

  forget(change: Change | undefined): void {
    if (change !== undefined && change.kind !== "environment" && change.kind !== "secret") return;
    this.#all = undefined;
    if (change?.kind === "environment") this.#cache.delete(change.name);
    else if (change === undefined) this.#cache.clear();
    else this.#cache.deleteWhere((_name, { secrets }) => Object.values(secrets).includes(change.name));
  }

  #handle({ manifest, digest }: Stored): EnvironmentHandle {
    // Rows from before there were secrets and capabilities have neither.
    const stored = manifest as Environment & Partial<Pick<Environment, "secrets" | "capabilities">>;
    const row: Environment = { ...stored, secrets: stored.secrets ?? {}, capabilities: stored.capabilities ?? {} };
    let opened: Promise<Readonly<Record<string, string>>> | undefined;
    const openSecrets = async (): Promise<Readonly<Record<string, string>>> => {
      opened ??= openEnvironmentSecrets(this.#database, row, this.#masterKey);
      try {
        return await opened;
      } catch (error) {
        opened = undefined;
        throw error;
      }
    };
    return { ...row, digest, openSecrets };
  }

  #read(name?: string): Promise<Stored[]> {
    return answered(
      this.#database
        .select({ manifest: entities.manifest, digest: entities.digest })
        .from(entities)
        .where(and(eq(entities.kind, "environment"), ...(name === undefined ? [] : [eq(entities.name, name)])))
        .orderBy(asc(entities.name)),
    );
  }

  #readRevision(name: string, revision: number): Promise<Stored[]> {
    const { kind, name: of, revision: is, manifest, digest } = revisions;
    return answered(
      this.#database
        .select({ manifest, digest })
        .from(revisions)
        .where(and(eq(kind, "environment"), eq(of, name), eq(is, revision))),
    );
  }
}
