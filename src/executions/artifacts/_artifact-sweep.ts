/**
 * Takes what nobody needs: uploads without an end, artifacts of executions that are gone, objects without an owner. Each
 * step can be lost after any other and is simply done again: a row goes only after whoever owns its object is certain.
 */
import { logError } from "../../core/log.ts";
import type { BlobClaim } from "./artifact-rpc.ts";
import type { ArtifactReferences } from "./artifact-references.ts";
import type { ArtifactRow, ArtifactRows } from "./_artifact-rows.ts";
import type { BlobLedger, DoomedObject } from "./blob-ledger.ts";

/** Rows and objects of one call. */
const SWEPT_AT_ONCE = 100;
/** When the store or another shard failed. */
const RETRY_MS = 5 * 60_000;
/** How often an artifact that is only kept by references is looked at. */
const REFERENCED_MS = 60 * 60_000;

export type SweepParts = {
  rows: ArtifactRows;
  blobs: BlobLedger;
  references: ArtifactReferences;
  bucket: R2Bucket;
  /** It waits for another shard and will write its row. */
  isFinishing: (id: string) => boolean;
  isKept: (execution: string) => boolean;
  shardOf: (sha256: string) => number;
  releaseBlobs: (shard: number, claims: BlobClaim[]) => Promise<string[]>;
};

export class ArtifactSweep {
  readonly #parts: SweepParts;

  constructor(parts: SweepParts) {
    this.#parts = parts;
  }

  async run(nowMs: number): Promise<void> {
    const { rows } = this.#parts;
    const found = rows.due(nowMs, SWEPT_AT_ONCE);
    const due = found.filter(({ id }) => !this.#parts.isFinishing(id));
    rows.setDue(
      found.filter((row) => !due.includes(row)).map(({ id }) => id),
      nowMs + RETRY_MS,
    );
    await this.#letGo(due, nowMs);
    // By its state now: the steps before have waited for others.
    await this.#drop(
      due.flatMap(({ id }) => rows.find(id) ?? []).filter(({ state }) => state === "dropping"),
      nowMs,
    );
    await this.#deleteObjects(nowMs);
  }

  /** What is due and not needed becomes `dropping`; what is needed is looked at later, or not again. */
  async #letGo(due: readonly ArtifactRow[], nowMs: number): Promise<void> {
    const { rows, references, isKept } = this.#parts;
    const stored = due.filter(({ state }) => state === "stored");
    const [kept, orphaned] = [
      stored.filter(({ released, execution_id }) => released === 0 && isKept(execution_id)),
      stored.filter(({ released, execution_id }) => released === 0 && !isKept(execution_id)),
    ];
    rows.setDue(
      kept.map(({ id }) => id),
      null,
    );
    rows.release(
      orphaned.map(({ execution_id }) => execution_id),
      nowMs,
    );
    const released = stored.filter((row) => !kept.includes(row)).map(({ id }) => id);
    const pruned = await this.#try("ask which executions are kept", () => references.prune(released, nowMs));
    rows.beginDropping(due.filter((row) => !kept.includes(row)).map(({ id }) => id));
    // Some references of the many have gone: the next may go right away.
    const again = pruned === undefined ? nowMs + RETRY_MS : nowMs + (pruned ? 0 : REFERENCED_MS);
    rows.setDue([...references.referenced(released)], again);
  }

  async #drop(dropping: readonly ArtifactRow[], nowMs: number): Promise<void> {
    const { rows, shardOf, releaseBlobs } = this.#parts;
    // Without a hash no claim can have been made.
    this.#forget(
      dropping.filter(({ sha256 }) => sha256 === null),
      nowMs,
    );
    const claimed = dropping.flatMap((row) => (row.sha256 === null ? [] : [{ ...row, sha256: row.sha256 }]));
    for (const [shard, some] of Map.groupBy(claimed, ({ sha256 }) => shardOf(sha256))) {
      const claims = some.map(({ id, sha256, key }) => ({ sha256, artifact: id, key }));
      const taken = await this.#try("release content", () => releaseBlobs(shard, claims));
      if (taken === undefined) {
        rows.setDue(
          some.map(({ id }) => id),
          nowMs + RETRY_MS,
        );
        continue;
      }
      // The content's shard deletes the objects it answers for.
      rows.remove(some.filter(({ id }) => taken.includes(id)).map(({ id }) => id));
      this.#forget(
        some.filter(({ id }) => !taken.includes(id)),
        nowMs,
      );
    }
  }

  /** Row and object change hands in one transaction: there is no await in between. */
  #forget(gone: readonly ArtifactRow[], nowMs: number): void {
    for (const { key, upload_id } of gone) this.#parts.blobs.doom({ key, upload_id }, nowMs);
    this.#parts.rows.remove(gone.map(({ id }) => id));
  }

  async #deleteObjects(nowMs: number): Promise<void> {
    const { blobs, bucket } = this.#parts;
    const due = blobs.dueObjects(nowMs, SWEPT_AT_ONCE);
    if (due.length === 0) return;
    const keys = due.map(({ key }) => key);
    const deleted = await this.#try("delete objects", async () => {
      for (const object of due) await abort(bucket, object);
      await bucket.delete(keys);
      return true;
    });
    if (deleted === true) blobs.forget(keys);
    else blobs.postpone(keys, nowMs + RETRY_MS);
  }

  async #try<T>(doing: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      logError(`artifact sweep: cannot ${doing}`, error);
      return undefined;
    }
  }
}

/** An upload that is complete or aborted already needs nothing. */
async function abort(bucket: R2Bucket, { key, upload_id }: DoomedObject): Promise<void> {
  if (upload_id === null) return;
  try {
    await bucket.resumeMultipartUpload(key, upload_id).abort();
  } catch (error) {
    if (!NO_SUCH_UPLOAD.test(String(error))) throw error;
  }
}

/** R2's code for it; the sentence around it is not documented. */
const NO_SUCH_UPLOAD = /10024/;
