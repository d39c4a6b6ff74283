/**
 * Who refers to the artifacts of one shard. A reference is written before the execution that makes it is accepted, and
 * nobody tells when that execution is gone: whoever wants an artifact away asks then. Until an answer says that all of
 * them are gone, the artifact stays.
 */

/** An execution may still be on its way to being accepted. Milliseconds. */
const UNKNOWN_FOR_MS = 60 * 60_000;
/** References of one artifact that are looked at in one go. */
const ASKED_AT_ONCE = 50;

/** Those of the executions that are still kept, whatever their shards. A throw says nothing about any of them. */
export type KeptExecutions = (ids: readonly string[]) => Promise<ReadonlySet<string>>;

export class ArtifactReferences {
  readonly #sql: SqlStorage;
  readonly #kept: KeptExecutions;

  constructor(sql: SqlStorage, kept: KeptExecutions) {
    this.#sql = sql;
    this.#kept = kept;
  }

  add(execution: string, artifacts: readonly string[], nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO artifact_references (artifact, execution, created_at)
       SELECT value, ?, ? FROM json_each(?) WHERE true
       ON CONFLICT (artifact, execution) DO UPDATE SET created_at = excluded.created_at`,
      execution,
      nowMs,
      JSON.stringify(artifacts),
    );
  }

  /** Those of the artifacts that something refers to, as far as is known here. */
  referenced(artifacts: readonly string[]): Set<string> {
    const rows = this.#sql.exec<{ artifact: string }>(
      `SELECT value AS artifact FROM json_each(?)
       WHERE EXISTS (SELECT 1 FROM artifact_references r WHERE r.artifact = value)`,
      JSON.stringify(artifacts),
    );
    return new Set(rows.toArray().map(({ artifact }) => artifact));
  }

  /** Forgets references of executions that are gone: a bounded number for each artifact. Answers whether any went. */
  async prune(artifacts: readonly string[], nowMs: number): Promise<boolean> {
    const cutoff = nowMs - UNKNOWN_FOR_MS;
    const asked: { artifact: string; execution: string }[] = [];
    for (const artifact of this.referenced(artifacts)) {
      asked.push(
        ...this.#sql
          .exec<{ artifact: string; execution: string }>(
            "SELECT artifact, execution FROM artifact_references WHERE artifact = ? AND created_at <= ? LIMIT ?",
            artifact,
            cutoff,
            ASKED_AT_ONCE,
          )
          .toArray(),
      );
    }
    if (asked.length === 0) return false;
    const kept = await this.#kept([...new Set(asked.map(({ execution }) => execution))]);
    const gone = asked.filter(({ execution }) => !kept.has(execution));
    if (gone.length === 0) return false;
    // Once more with the time: the same reference may have been made anew while we waited.
    this.#sql.exec(
      `DELETE FROM artifact_references WHERE created_at <= ? AND (artifact, execution) IN (
         SELECT value ->> 'artifact', value ->> 'execution' FROM json_each(?))`,
      cutoff,
      JSON.stringify(gone),
    );
    return true;
  }
}
