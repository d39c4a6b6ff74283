/**
 * The tables of one shard.
 *
 * Listings find their rows by index whatever is asked for: `by_operation` and `by_trigger` both hold trigger and status
 * before the id, and a condition left open is answered by asking for each of its few values (_listing.ts).
 *
 * `due` is when something must happen to the row by itself: its delay or its wait for the next attempt ends, it expires,
 * or its time to be kept is over. NULL: nothing will. `ready` marks those that only wait for a free place.
 */
export const TABLES = `
  CREATE TABLE IF NOT EXISTS executions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    status TEXT NOT NULL,
    trigger TEXT NOT NULL,
    parent TEXT,
    lane TEXT NOT NULL,
    ready INTEGER NOT NULL,
    due INTEGER,
    attempt INTEGER NOT NULL,
    version INTEGER NOT NULL,
    head TEXT NOT NULL,
    tail TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS by_operation ON executions (operation, trigger, status, id);
  CREATE INDEX IF NOT EXISTS by_trigger ON executions (trigger, status, id);
  CREATE INDEX IF NOT EXISTS by_parent ON executions (parent, id) WHERE parent IS NOT NULL;
  CREATE INDEX IF NOT EXISTS with_output ON executions (operation, id) WHERE status = 'succeeded' AND lane <> '';
  CREATE INDEX IF NOT EXISTS by_due ON executions (due) WHERE due IS NOT NULL;
  CREATE INDEX IF NOT EXISTS by_lane ON executions (lane, seq) WHERE ready = 1;
  CREATE TABLE IF NOT EXISTS inputs (seq INTEGER PRIMARY KEY, text TEXT, key TEXT);
  CREATE TABLE IF NOT EXISTS outputs (seq INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, text TEXT, key TEXT);
  CREATE INDEX IF NOT EXISTS outputs_by_content ON outputs (sha256);
  CREATE TABLE IF NOT EXISTS items (
    seq INTEGER NOT NULL, place INTEGER NOT NULL, outcome TEXT NOT NULL, PRIMARY KEY (seq, place)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS logs (
    seq INTEGER NOT NULL, attempt INTEGER NOT NULL, line INTEGER NOT NULL,
    at INTEGER NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (seq, attempt, line)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS keys (
    hash TEXT PRIMARY KEY, execution TEXT NOT NULL, input TEXT NOT NULL, expires_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS keys_by_expiry ON keys (expires_at);
  CREATE TABLE IF NOT EXISTS cancelled (id TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS incarnation (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL);
`;

/** One row of `executions`. `head` and `tail` are JSON. */
export type Row = {
  seq: number;
  id: string;
  operation: string;
  status: string;
  trigger: string;
  parent: string | null;
  lane: string;
  ready: number;
  due: number | null;
  attempt: number;
  version: number;
  head: string;
  tail: string;
};
