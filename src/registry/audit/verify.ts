/**
 * Holds the database against its change log, a page at a time, so that neither memory nor one request's time grows with
 * the log. First the chain of changes; then each change with the revision that it made and the entry that it left; then whatever stands there and no
 * change has made; then what stands beside the entries: code, secrets of tokens, sealed values.
 *
 * It says the first place that does not fit and stops. What was rewritten whole, hashes and all, or cut off at the end is
 * sound in itself: only a head noted elsewhere tells of that.
 */
import { SwitchyardError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import { fromDatabaseError } from "../database-error.ts";
import { checkChain, checkContents } from "./_check-changes.ts";
import { checkCode, checkEntities, checkRevisions, checkSecrets, checkTokens, checkUses } from "./_check-rows.ts";

/** `seq`: the change that does not fit; null where what does not fit is no change. */
export type Broken = { seq: number | null; detail: string };
export type Head = { seq: number; hash: string };

/** What one page came to. `after`: where the next one begins; undefined at the end of the stage. */
export type Checked = {
  broken?: Broken;
  after?: readonly (string | number)[] | undefined;
  changes?: number;
  head?: Head;
};
export type Check = (database: Database, after: readonly (string | number)[], limit: number) => Promise<Checked>;

const STAGES: readonly (readonly [string, Check])[] = [
  ["chain", checkChain],
  ["contents", checkContents],
  ["revisions", checkRevisions],
  ["entities", checkEntities],
  ["uses", checkUses],
  ["code", checkCode],
  ["tokens", checkTokens],
  ["secrets", checkSecrets],
];

export type Verdict = {
  /** Changes that were checked on this page. */
  changes: number;
  /** The last of them. */
  head: Head | null;
  broken: Broken | null;
  /** null: all is checked, or something is broken. */
  next_cursor: string | null;
};

export async function verifyPage(
  database: Database,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): Promise<Verdict> {
  const { stage, after } = parseCursor(cursor);
  const [, check] = STAGES[stage] ?? [];
  if (check === undefined) throw unreadable(cursor);
  let checked: Checked;
  try {
    checked = await check(database, after, limit);
  } catch (error) {
    throw fromDatabaseError(error);
  }
  const next = checked.after === undefined ? [stage + 1] : [stage, ...checked.after];
  const over = checked.broken !== undefined || (checked.after === undefined && stage === STAGES.length - 1);
  return {
    changes: checked.changes ?? 0,
    head: checked.head ?? null,
    broken: checked.broken ?? null,
    next_cursor: over ? null : JSON.stringify([STAGES[next[0] as number]?.[0], ...next.slice(1)]),
  };
}

/** All of it, page by page: for whoever has the database itself. */
export async function verifyAll(
  database: Database,
  limit: number,
  seen: (verdict: Verdict) => void = () => undefined,
): Promise<void> {
  for (let cursor: string | undefined; ;) {
    const verdict = await verifyPage(database, { cursor, limit });
    seen(verdict);
    if (verdict.next_cursor === null) return;
    cursor = verdict.next_cursor;
  }
}

function parseCursor(cursor: string | undefined): { stage: number; after: (string | number)[] } {
  if (cursor === undefined) return { stage: 0, after: [] };
  let words: unknown;
  try {
    words = JSON.parse(cursor);
  } catch {
    throw unreadable(cursor);
  }
  if (!Array.isArray(words) || !words.every(isWord)) throw unreadable(cursor);
  const [name, ...after] = words;
  return { stage: STAGES.findIndex(([stage]) => stage === name), after };
}

function isWord(word: unknown): word is string | number {
  return typeof word === "string" || typeof word === "number";
}

function unreadable(cursor: string | undefined): SwitchyardError {
  const detail = "must be the next_cursor of the page before";
  return new SwitchyardError("input_invalid", `Cannot go on after "${cursor}": the cursor ${detail}; it is not`, {
    errors: [{ pointer: "/cursor", keyword: "cursor", detail }],
  });
}
