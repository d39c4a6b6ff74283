/**
 * The hash of a change: SHA-256 over the hash of the change before it and its own content in canonical form. Whoever
 * has noted one hash can tell whether anything up to there was changed, taken away, put in or moved since.
 */
import { canonicalJson, digestOf, sha256 } from "../../core/hash.ts";

/** What stands before the first change. */
export const GENESIS = "0".repeat(64);

/** In front of what is hashed, so that no other hash of the platform can be mistaken for one; another form, another word. */
const DOMAIN = "switchyard.change.v1";

/** All of a change but its hash. */
export type Link = {
  seq: number;
  kind: string;
  name: string;
  action: string;
  author: string;
  caller: string | null;
  before: string | null;
  after: string | null;
  revision: number | null;
  uses: string | null;
  at: string;
};

/** What else the object holds does not count. */
export function hashOfChange(previous: string, change: Link): Promise<string> {
  const { seq, kind, name, action, author, caller, before, after, revision, uses, at } = change;
  const content = { seq, kind, name, action, author, caller, before, after, revision, uses, at };
  return sha256(`${DOMAIN}\n${previous}\n${canonicalJson(content)}`);
}

/** As they stand in the table: one row for each target. */
export type UsesRow = { target_kind: string; target_name: string; written: boolean };

export function digestOfUses(rows: readonly UsesRow[]): Promise<string> {
  const lines = rows.map(({ target_kind: kind, target_name: name, written }) => `${kind} ${name} ${written ? 1 : 0}`);
  return digestOf(lines.toSorted((a, b) => (a < b ? -1 : 1)));
}
