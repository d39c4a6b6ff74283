/**
 * The artifacts' part of an execution shard: the rows of what its executions' handlers have put, who refers to them, and
 * the contents this shard answers for. artifact-rpc.ts tells the protocol; _artifact-sweep.ts takes what is left over.
 */
import type { ErrorCode, ErrorData } from "../../core/errors.ts";
import type { ArtifactView } from "../../model/execution.ts";
import { shardOfExecutionId } from "../../core/ids.ts";
import type {
  ArtifactPeerRpc,
  ArtifactShardRpc,
  BeginReply,
  BeginRequest,
  BlobClaim,
  Content,
  FinishReply,
  LocatedArtifact,
  OutputEntry,
  OutputQuery,
  Remote,
  ShardArtifactQuery,
} from "./artifact-rpc.ts";
import { executionOfOutput, newArtifactId, outputArtifactId, shardOfContent } from "./artifact-ids.ts";
import { listShardArtifacts, viewOfOutput } from "./_artifact-listing.ts";
import { ArtifactReferences } from "./artifact-references.ts";
import { ArtifactRows, viewOfArtifact, type ArtifactRow } from "./_artifact-rows.ts";
import { ArtifactSweep } from "./_artifact-sweep.ts";
import { BlobLedger } from "./blob-ledger.ts";

/** An upload that has not finished by then is abandoned; uploads themselves give up well before. */
export const ABANDONED_AFTER_MS = 24 * 60 * 60_000;
/** Objects that turn out to be doubles are deleted many at a time. */
const DOUBLES_WAIT_MS = 60_000;
/** Bounds prepareRelease(); what it leaves, the next call takes. */
const PRUNE_ROUNDS = 20;

export type ArtifactPorts = {
  shard: number;
  shards: number;
  sql: SqlStorage;
  bucket: R2Bucket;
  peer: (shard: number) => Remote<ArtifactPeerRpc>;
  /** An execution of this shard whose record is kept, ended or not. */
  execution: (id: string) => { operation: string } | undefined;
  outputsOf: (query: OutputQuery) => OutputEntry[];
  now: () => number;
  /** sweep() wants to be called at that time, or before. */
  wake: (atMs: number) => void;
};

export class ArtifactIndex implements ArtifactShardRpc {
  readonly #ports: ArtifactPorts;
  readonly #rows: ArtifactRows;
  readonly #blobs: BlobLedger;
  readonly #references: ArtifactReferences;
  readonly #sweep: ArtifactSweep;
  readonly #finishing = new Set<string>();

  constructor(ports: ArtifactPorts) {
    const { sql, bucket, now } = ports;
    this.#ports = ports;
    this.#rows = new ArtifactRows(sql);
    this.#blobs = new BlobLedger(sql);
    this.#references = new ArtifactReferences(sql, (ids) => this.#kept(ids));
    this.#sweep = new ArtifactSweep({
      rows: this.#rows,
      blobs: this.#blobs,
      references: this.#references,
      bucket,
      isFinishing: (id) => this.#finishing.has(id),
      isKept: (execution) => ports.execution(execution) !== undefined,
      releaseBlobs: (shard, claims) =>
        shard === ports.shard
          ? Promise.resolve(this.#blobs.release(claims, now()))
          : ports.peer(shard).releaseBlobs(claims),
      shardOf: (sha256) => shardOfContent(sha256, ports.shards),
    });
  }

  /** Does a bounded amount of what is due, never throws, and answers when it wants to be called again. */
  async sweep(nowMs: number): Promise<number | undefined> {
    await this.#sweep.run(nowMs);
    return this.nextDue();
  }

  /** When sweep() has something to do; for the alarm that is set at the start. */
  nextDue(): number | undefined {
    const [rows, objects] = [this.#rows.nextDue(), this.#blobs.nextDue()];
    return rows === undefined || objects === undefined ? (rows ?? objects) : Math.min(rows, objects);
  }

  /**
   * Asks about the executions that refer to outputs of these, and forgets those that are gone. Throws when a shard does
   * not answer. release() decides; without this it would go by what was known before.
   */
  async prepareRelease(executionIds: readonly string[], nowMs: number): Promise<void> {
    const outputs = executionIds.map(outputArtifactId);
    for (let round = 0; round < PRUNE_ROUNDS && (await this.#references.prune(outputs, nowMs)); round++);
  }

  /**
   * To be called in the transaction that deletes these executions, which must delete those in the answer and no others:
   * the output of another is still referred to. The artifacts of those in the answer go when nothing refers to them.
   */
  release(executionIds: readonly string[], nowMs: number): string[] {
    const held = this.#references.referenced(executionIds.map(outputArtifactId));
    const free = executionIds.filter((id) => !held.has(outputArtifactId(id)));
    if (this.#rows.release(free, nowMs)) this.#ports.wake(nowMs);
    return free;
  }

  beginArtifact({ execution, operation, name, content_type }: BeginRequest): BeginReply {
    const { shard, now } = this.#ports;
    const known = this.#ports.execution(execution)?.operation ?? operation;
    if (known === undefined) {
      return refused(
        "entity_not_found",
        `Cannot store an artifact of "${execution}": its execution must be known; it is not`,
      );
    }
    const nowMs = now();
    const id = newArtifactId(shard, nowMs);
    // A key of its own and not its hash: the hash is known when all is uploaded, and the store cannot rename.
    const key = `artifacts/${id}`;
    const due = nowMs + ABANDONED_AFTER_MS;
    this.#rows.insert({
      id,
      execution_id: execution,
      operation: known,
      name,
      content_type,
      key,
      created_at: nowMs,
      due,
    });
    this.#ports.wake(due);
    return { ok: true, id, key };
  }

  noteArtifactUpload(id: string, uploadId: string): boolean {
    return this.#rows.noteUpload(id, uploadId);
  }

  async finishArtifact(id: string, { sha256, size_bytes }: Content): Promise<FinishReply> {
    // The hash is written down first: whoever finds this row later knows where a claim may have been made.
    this.#rows.noteContent(id, sha256, size_bytes);
    const row = this.#rows.find(id);
    if (row?.sha256 === sha256 && row.state === "claiming") {
      // Not to be swept meanwhile, even if the clock jumps: a release that overtakes the claim would leave the claim.
      this.#finishing.add(id);
      try {
        this.#store(row, await this.#claim({ sha256, artifact: id, key: row.key }));
      } catch (cause) {
        // Whether the claim was made is not known; the row stays, and the sweep gives both back in a day.
        return refused(
          "state_unavailable",
          `Cannot finish "${id}": the shard of its content must answer; it failed with ${String(cause)}`,
        );
      } finally {
        this.#finishing.delete(id);
      }
    }
    const stored = this.#rows.find(id);
    if (stored?.state === "stored" && stored.sha256 === sha256) return { ok: true, view: viewOfArtifact(stored) };
    return refused("artifact_store_unavailable", `Cannot finish "${id}": its upload must still be open; it is not`);
  }

  abandonArtifact(id: string): void {
    this.#rows.abandon(id, this.#ports.now());
    this.#wakeForNext();
  }

  locateArtifact(id: string): LocatedArtifact | undefined {
    const row = this.#rows.find(id);
    if (row !== undefined) {
      return row.state === "stored" ? { view: viewOfArtifact(row), key: row.blob_key } : undefined;
    }
    const [output] = this.#ports.outputsOf({ execution: executionOfOutput(id), limit: 1 });
    return output === undefined ? undefined : { view: viewOfOutput(output), key: null };
  }

  listArtifacts(query: ShardArtifactQuery): ArtifactView[] {
    return listShardArtifacts(this.#ports, query);
  }

  holdArtifacts(execution: string, artifacts: string[]): void {
    const there = artifacts.filter(
      (id) => this.#rows.find(id)?.state === "stored" || this.#ports.execution(executionOfOutput(id)) !== undefined,
    );
    this.#references.add(execution, there, this.#ports.now());
  }

  claimBlob(claim: BlobClaim): string {
    return this.#blobs.claim(claim);
  }

  releaseBlobs(claims: BlobClaim[]): string[] {
    const own = this.#blobs.release(claims, this.#ports.now());
    this.#wakeForNext();
    return own;
  }

  keptExecutions(ids: string[]): string[] {
    return ids.filter((id) => this.#ports.execution(id) !== undefined);
  }

  async #claim(claim: BlobClaim): Promise<string> {
    const shard = shardOfContent(claim.sha256, this.#ports.shards);
    return shard === this.#ports.shard ? this.#blobs.claim(claim) : this.#ports.peer(shard).claimBlob(claim);
  }

  #store({ id, key, execution_id }: ArtifactRow, blobKey: string): void {
    const now = this.#ports.now();
    // A record that is not written yet is looked for in a day.
    const unknown = this.#ports.execution(execution_id) === undefined;
    if (!this.#rows.store(id, blobKey, { due: unknown ? now + ABANDONED_AFTER_MS : null, dueReleased: now })) return;
    if (blobKey !== key) this.#blobs.doom({ key, upload_id: null }, now + DOUBLES_WAIT_MS);
    this.#wakeForNext();
  }

  async #kept(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const { shard: own, peer } = this.#ports;
    const kept = new Set<string>();
    for (const [shard, some] of Map.groupBy(ids, shardOfExecutionId)) {
      if (shard === undefined) continue;
      const answer = shard === own ? this.keptExecutions(some) : await peer(shard).keptExecutions(some);
      for (const id of answer) kept.add(id);
    }
    return kept;
  }

  #wakeForNext(): void {
    const next = this.nextDue();
    if (next !== undefined) this.#ports.wake(next);
  }
}

function refused(code: ErrorCode, detail: string): { ok: false; error: ErrorData } {
  return { ok: false, error: { code, detail } };
}
