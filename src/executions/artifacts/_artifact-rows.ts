/**
 * The rows of the artifacts of one shard's executions, and of who refers to them.
 *
 *     uploading → claiming → stored → dropping → (gone)      uploading, claiming → dropping, when nothing follows
 *
 * `key` is the object the artifact uploaded, `blob_key` the one that has its bytes: the same, unless they were there
 * already. `due` is when the sweep must look at the row; NULL: never, as things are. `released`: its execution is gone,
 * and the row goes too as soon as nothing refers to it.
 */
import type { ArtifactView } from "../../model/execution.ts";

export const ARTIFACT_TABLES = `
  CREATE TABLE IF NOT EXISTS artifacts (
    id TEXT PRIMARY KEY, execution_id TEXT NOT NULL, operation TEXT NOT NULL, name TEXT NOT NULL,
    content_type TEXT NOT NULL, state TEXT NOT NULL, key TEXT NOT NULL, upload_id TEXT,
    sha256 TEXT, size_bytes INTEGER, blob_key TEXT,
    released INTEGER NOT NULL, created_at INTEGER NOT NULL, due INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS artifacts_by_execution ON artifacts (execution_id, id);
  CREATE INDEX IF NOT EXISTS artifacts_by_operation ON artifacts (operation, id);
  CREATE INDEX IF NOT EXISTS artifacts_by_content ON artifacts (sha256, id) WHERE sha256 IS NOT NULL;
  CREATE INDEX IF NOT EXISTS artifacts_by_operation_content
    ON artifacts (operation, sha256, id) WHERE sha256 IS NOT NULL;
  CREATE INDEX IF NOT EXISTS artifacts_by_due ON artifacts (due) WHERE due IS NOT NULL;
  CREATE TABLE IF NOT EXISTS artifact_references (
    artifact TEXT NOT NULL, execution TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (artifact, execution)
  ) WITHOUT ROWID;
`;

export type ArtifactState = "uploading" | "claiming" | "stored" | "dropping";

export type ArtifactRow = {
  id: string;
  execution_id: string;
  operation: string;
  name: string;
  content_type: string;
  state: ArtifactState;
  key: string;
  upload_id: string | null;
  sha256: string | null;
  size_bytes: number | null;
  blob_key: string | null;
  released: number;
  created_at: number;
  due: number | null;
};

export function viewOfArtifact(row: ArtifactRow): ArtifactView {
  return {
    id: row.id,
    execution_id: row.execution_id,
    operation: row.operation,
    kind: "file",
    name: row.name,
    content_type: row.content_type,
    size_bytes: row.size_bytes ?? 0,
    sha256: row.sha256 ?? "",
    created_at: new Date(row.created_at).toISOString(),
  };
}

export class ArtifactRows {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(ARTIFACT_TABLES);
  }

  insert(
    row: Pick<
      ArtifactRow,
      "id" | "execution_id" | "operation" | "name" | "content_type" | "key" | "created_at" | "due"
    >,
  ): void {
    this.#sql.exec(
      `INSERT INTO artifacts (id, execution_id, operation, name, content_type, state, key, released, created_at, due)
       VALUES (?, ?, ?, ?, ?, 'uploading', ?, 0, ?, ?)`,
      row.id,
      row.execution_id,
      row.operation,
      row.name,
      row.content_type,
      row.key,
      row.created_at,
      row.due,
    );
  }

  find(id: string): ArtifactRow | undefined {
    return this.#sql.exec<ArtifactRow>("SELECT * FROM artifacts WHERE id = ?", id).toArray()[0];
  }

  noteUpload(id: string, uploadId: string): boolean {
    return (
      this.#sql.exec("UPDATE artifacts SET upload_id = ? WHERE id = ? AND state = 'uploading'", uploadId, id)
        .rowsWritten > 0
    );
  }

  /** The upload is complete: nothing of it is left to abort. */
  noteContent(id: string, sha256: string, sizeBytes: number): void {
    this.#sql.exec(
      `UPDATE artifacts SET state = 'claiming', upload_id = NULL, sha256 = ?, size_bytes = ?
       WHERE id = ? AND state = 'uploading'`,
      sha256,
      sizeBytes,
      id,
    );
  }

  /** false: the row was stored already, or taken. */
  store(id: string, blobKey: string, when: { due: number | null; dueReleased: number }): boolean {
    return (
      this.#sql.exec(
        `UPDATE artifacts SET state = 'stored', blob_key = ?, due = iif(released = 1, ?, ?)
         WHERE id = ? AND state = 'claiming'`,
        blobKey,
        when.dueReleased,
        when.due,
        id,
      ).rowsWritten > 0
    );
  }

  abandon(id: string, dueMs: number): void {
    this.#sql.exec("UPDATE artifacts SET state = 'dropping', due = ? WHERE id = ? AND state = 'uploading'", dueMs, id);
  }

  /** Stored rows are due at once, others keep the time at which their upload counts as abandoned. */
  release(executionIds: readonly string[], nowMs: number): boolean {
    return (
      this.#sql.exec(
        `UPDATE artifacts SET released = 1, due = iif(state = 'stored', ?, due)
         WHERE execution_id IN (SELECT value FROM json_each(?)) AND released = 0`,
        nowMs,
        JSON.stringify(executionIds),
      ).rowsWritten > 0
    );
  }

  due(nowMs: number, limit: number): ArtifactRow[] {
    return this.#sql
      .exec<ArtifactRow>("SELECT * FROM artifacts WHERE due <= ? ORDER BY due LIMIT ?", nowMs, limit)
      .toArray();
  }

  nextDue(): number | undefined {
    return (
      this.#sql.exec<{ due: number | null }>("SELECT min(due) AS due FROM artifacts WHERE due IS NOT NULL").one().due ??
      undefined
    );
  }

  setDue(ids: readonly string[], due: number | null): void {
    const text = JSON.stringify(ids);
    this.#sql.exec("UPDATE artifacts SET due = ? WHERE id IN (SELECT value FROM json_each(?))", due, text);
  }

  /** Decided and done in one statement, so that no reference slips in between. Uploads that are due are abandoned. */
  beginDropping(ids: readonly string[]): void {
    this.#sql.exec(
      `UPDATE artifacts SET state = 'dropping' WHERE id IN (SELECT value FROM json_each(?)) AND (
         state IN ('uploading', 'claiming') OR (state = 'stored' AND released = 1 AND NOT EXISTS (
           SELECT 1 FROM artifact_references r WHERE r.artifact = artifacts.id)))`,
      JSON.stringify(ids),
    );
  }

  remove(ids: readonly string[]): void {
    const text = JSON.stringify(ids);
    this.#sql.exec("DELETE FROM artifacts WHERE id IN (SELECT value FROM json_each(?))", text);
  }
}
