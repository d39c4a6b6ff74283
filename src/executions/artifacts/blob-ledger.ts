/**
 * The contents one shard answers for: which object has the bytes of a SHA-256, and which artifacts use it. Also the list
 * of objects that nobody needs, which are deleted from the store by and by; an object is in that list before its last
 * owner forgets it.
 */
import type { BlobClaim } from "./artifact-rpc.ts";

/** A reader that has just looked up the key may still begin. Milliseconds. */
const CONDEMNED_FOR_MS = 60 * 60_000;

const TABLES = `
  CREATE TABLE IF NOT EXISTS blobs (sha256 TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS blob_users (
    sha256 TEXT NOT NULL, artifact TEXT NOT NULL, PRIMARY KEY (sha256, artifact)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS doomed_objects (
    key TEXT PRIMARY KEY, upload_id TEXT, due INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS doomed_objects_by_due ON doomed_objects (due);
`;

export type DoomedObject = { key: string; upload_id: string | null };

export class BlobLedger {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(TABLES);
  }

  claim({ sha256, artifact, key }: BlobClaim): string {
    this.#sql.exec("INSERT OR IGNORE INTO blobs (sha256, key) VALUES (?, ?)", sha256, key);
    this.#sql.exec("INSERT OR IGNORE INTO blob_users (sha256, artifact) VALUES (?, ?)", sha256, artifact);
    return this.#sql.exec<{ key: string }>("SELECT key FROM blobs WHERE sha256 = ?", sha256).one().key;
  }

  release(claims: readonly BlobClaim[], nowMs: number): string[] {
    const own: string[] = [];
    for (const { sha256, artifact, key } of claims) {
      this.#sql.exec("DELETE FROM blob_users WHERE sha256 = ? AND artifact = ?", sha256, artifact);
      const [blob] = this.#sql.exec<{ key: string }>("SELECT key FROM blobs WHERE sha256 = ?", sha256).toArray();
      if (blob?.key === key || this.#isDoomed(key)) own.push(artifact);
      if (blob === undefined || this.#hasUsers(sha256)) continue;
      this.#sql.exec("DELETE FROM blobs WHERE sha256 = ?", sha256);
      this.doom({ key: blob.key, upload_id: null }, nowMs + CONDEMNED_FOR_MS);
    }
    return own;
  }

  doom({ key, upload_id }: DoomedObject, dueMs: number): void {
    this.#sql.exec(
      "INSERT OR IGNORE INTO doomed_objects (key, upload_id, due) VALUES (?, ?, ?)",
      key,
      upload_id,
      dueMs,
    );
  }

  dueObjects(nowMs: number, limit: number): DoomedObject[] {
    return this.#sql
      .exec<DoomedObject>("SELECT key, upload_id FROM doomed_objects WHERE due <= ? ORDER BY due LIMIT ?", nowMs, limit)
      .toArray();
  }

  forget(keys: readonly string[]): void {
    this.#sql.exec("DELETE FROM doomed_objects WHERE key IN (SELECT value FROM json_each(?))", JSON.stringify(keys));
  }

  postpone(keys: readonly string[], dueMs: number): void {
    const text = JSON.stringify(keys);
    this.#sql.exec("UPDATE doomed_objects SET due = ? WHERE key IN (SELECT value FROM json_each(?))", dueMs, text);
  }

  nextDue(): number | undefined {
    return this.#sql.exec<{ due: number | null }>("SELECT min(due) AS due FROM doomed_objects").one().due ?? undefined;
  }

  #hasUsers(sha256: string): boolean {
    return this.#sql.exec("SELECT 1 FROM blob_users WHERE sha256 = ? LIMIT 1", sha256).toArray().length > 0;
  }

  #isDoomed(key: string): boolean {
    return this.#sql.exec("SELECT 1 FROM doomed_objects WHERE key = ?", key).toArray().length > 0;
  }
}
