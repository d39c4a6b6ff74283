/**
 * Shards that keep nothing but artifacts, for the tests of them. What a real shard knows of its executions, the clock and
 * the failures come from a `World`, which tests and shards share: they run in one isolate.
 */
import { DurableObject } from "cloudflare:workers";
import { ArtifactIndex } from "../../src/executions/artifacts/artifact-index.ts";
import type {
  ArtifactShardRpc,
  BeginReply,
  BeginRequest,
  BlobClaim,
  Content,
  FinishReply,
  LocatedArtifact,
  OutputEntry,
  OutputQuery,
  ShardArtifactQuery,
} from "../../src/executions/artifacts/artifact-rpc.ts";
import { PayloadSweep } from "../../src/executions/artifacts/payload-sweep.ts";
import type { ArtifactView } from "../../src/model/execution.ts";

export type TestBindings = { SHARDS: DurableObjectNamespace<ArtifactShard>; ARTIFACTS: R2Bucket };

/** Fewer than a platform has: a test looks at each of them. */
export const SHARDS = 4;

export type World = {
  name: string;
  now: number;
  executions: Map<string, { operation: string }>;
  outputs: (OutputEntry & { text: string })[];
  /** Keys of payloads that rows name. */
  payloads: Set<string>;
  /** When each shard's alarm is set to. */
  alarms: Map<number, number>;
  /** Everything that leaves a step's own memory goes through here, and may not arrive or not come back. */
  effect<T>(what: string, work: () => Promise<T>): Promise<T>;
};

declare global {
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var worlds: Map<string, World> | undefined;
}

export function worldsByName(): Map<string, World> {
  return (globalThis.worlds ??= new Map());
}

const TABLES = ["artifacts", "artifact_references", "blobs", "blob_users", "doomed_objects"];

export class ArtifactShard extends DurableObject<TestBindings> implements ArtifactShardRpc {
  readonly #index: ArtifactIndex;
  readonly #payloads: PayloadSweep;
  readonly #sql: SqlStorage;
  readonly #world: World;
  /** Of the last listing. */
  #rowsRead = 0;

  constructor(state: DurableObjectState, env: TestBindings) {
    super(state, env);
    const [name = "", shard = ""] = (state.id.name ?? "").split("/");
    const world = worldsByName().get(name);
    if (world === undefined) throw new TypeError(`a shard's name must begin with that of a world; it is ${name}`);
    this.#world = world;
    this.#sql = countingRows(state.storage.sql, (rows) => (this.#rowsRead += rows));
    const bucket = mortalBucket(env.ARTIFACTS, world);
    this.#payloads = new PayloadSweep({
      shard: Number(shard),
      sql: this.#sql,
      bucket,
      named: (keys) => new Set(keys.filter((key) => world.payloads.has(key))),
      now: () => world.now,
    });
    this.#payloads.begin();
    this.#index = new ArtifactIndex({
      shard: Number(shard),
      shards: SHARDS,
      sql: this.#sql,
      bucket,
      peer: (other) => mortalStub(env.SHARDS.getByName(`${name}/${other}`), world, "peer"),
      execution: (id) => world.executions.get(id),
      outputsOf: (query) => outputsIn(world, Number(shard), query),
      now: () => world.now,
      wake: (atMs) => setAlarm(world, Number(shard), atMs),
    });
  }

  sweep(): Promise<number | undefined> {
    return this.#index.sweep(this.#world.now);
  }

  sweepPayloads(): Promise<number | undefined> {
    return this.#payloads.sweep(this.#world.now);
  }

  /** As a shard does it: ask, then delete the executions that are free in one transaction. Answers those. */
  async deleteExecutions(ids: string[]): Promise<string[]> {
    await this.#index.prepareRelease(ids, this.#world.now);
    const free = this.#index.release(ids, this.#world.now);
    for (const id of free) this.#world.executions.delete(id);
    this.#world.outputs = this.#world.outputs.filter(({ execution_id }) => !free.includes(execution_id));
    return free;
  }

  /** Rows in each table that has any. */
  tables(): Record<string, number> {
    const counts = TABLES.map((table) => {
      const { n } = this.#sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).one();
      return [table, n] as const;
    });
    return Object.fromEntries(counts.filter(([, n]) => n > 0));
  }

  /** A listing with the number of rows that SQLite read for it. */
  countedListing(query: ShardArtifactQuery): { items: number; rowsRead: number } {
    this.#rowsRead = 0;
    return { items: this.#index.listArtifacts(query).length, rowsRead: this.#rowsRead };
  }

  /** Many stored artifacts at once. */
  seed(rows: { id: string; execution: string; operation: string; sha256: string }[]): void {
    this.#sql.exec(
      `INSERT INTO artifacts (id, execution_id, operation, name, content_type, state, key, sha256, size_bytes, blob_key,
         released, created_at)
       SELECT value ->> 'id', value ->> 'execution', value ->> 'operation', 'n', 't', 'stored', 'k', value ->> 'sha256',
         1, 'k', 0, 0 FROM json_each(?)`,
      JSON.stringify(rows),
    );
  }

  nextDue(): number | undefined {
    return this.#index.nextDue();
  }

  beginArtifact(request: BeginRequest): BeginReply {
    return this.#index.beginArtifact(request);
  }
  noteArtifactUpload(id: string, uploadId: string): boolean {
    return this.#index.noteArtifactUpload(id, uploadId);
  }
  finishArtifact(id: string, content: Content): Promise<FinishReply> {
    return this.#index.finishArtifact(id, content);
  }
  abandonArtifact(id: string): void {
    this.#index.abandonArtifact(id);
  }
  locateArtifact(id: string): LocatedArtifact | undefined {
    return this.#index.locateArtifact(id);
  }
  listArtifacts(query: ShardArtifactQuery): ArtifactView[] {
    return this.#index.listArtifacts(query);
  }
  holdArtifacts(execution: string, artifacts: string[]): void {
    this.#index.holdArtifacts(execution, artifacts);
  }
  claimBlob(claim: BlobClaim): string {
    return this.#index.claimBlob(claim);
  }
  releaseBlobs(claims: BlobClaim[]): string[] {
    return this.#index.releaseBlobs(claims);
  }
  keptExecutions(ids: string[]): string[] {
    return this.#index.keptExecutions(ids);
  }
}

/** An alarm is only ever set to an earlier time. */
export function setAlarm({ alarms }: World, shard: number, atMs: number | undefined): void {
  if (atMs !== undefined) alarms.set(shard, Math.min(atMs, alarms.get(shard) ?? atMs));
}

function outputsIn(world: World, shard: number, query: OutputQuery): OutputEntry[] {
  const { execution, operation, sha256, before, limit } = query;
  return world.outputs
    .filter(
      (entry) =>
        Number.parseInt(entry.execution_id.slice(3, 5), 16) === shard &&
        entry.execution_id === (execution ?? entry.execution_id) &&
        entry.operation === (operation ?? entry.operation) &&
        entry.sha256 === (sha256 ?? entry.sha256) &&
        (before === undefined || entry.execution_id < before),
    )
    .toSorted((a, b) => (a.execution_id < b.execution_id ? 1 : -1))
    .slice(0, limit)
    .map(({ execution_id, operation, sha256, size_bytes, created_at }) => {
      return { execution_id, operation, sha256, size_bytes, created_at };
    });
}

function countingRows(sql: SqlStorage, count: (rows: number) => void): SqlStorage {
  return new Proxy(sql, {
    get(target, member) {
      if (member !== "exec") return Reflect.get(target, member) as unknown;
      return (...statement: Parameters<SqlStorage["exec"]>) => {
        const cursor = target.exec(...statement);
        const rows = cursor.toArray();
        count(cursor.rowsRead);
        return { toArray: () => rows, one: () => rows[0], rowsWritten: cursor.rowsWritten };
      };
    },
  });
}

/** A stub whose every call is an effect of the world. */
export function mortalStub<T extends object>(stub: T, world: World, side: string): T {
  return new Proxy(stub, {
    get(target, member) {
      const method = Reflect.get(target, member) as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) =>
        world.effect(`${side} ${String(member)}`, async () => Reflect.apply(method, target, args));
    },
  });
}

/** A bucket whose every call, of its uploads too, is an effect of the world. */
export function mortalBucket(bucket: R2Bucket, world: World): R2Bucket {
  const mortal = <T extends object>(object: T): T =>
    new Proxy(object, {
      get(target, member) {
        const value = Reflect.get(target, member) as unknown;
        if (typeof value !== "function") return value;
        const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
        if (member === "resumeMultipartUpload") return (...args: unknown[]) => mortal(call(...args) as object);
        return (...args: unknown[]) =>
          world.effect(`bucket ${String(member)}`, async () => {
            const answer = await call(...args);
            return member === "createMultipartUpload" ? mortal(answer as object) : answer;
          });
      },
    });
  return mortal(bucket);
}

export default {
  fetch: () => new Response(null, { status: 404 }),
} satisfies ExportedHandler<TestBindings>;
