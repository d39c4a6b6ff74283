/** What a table shows of a change where the log has ids and hashes. */
import type { ChangeView } from "./api.ts";

/** Enough of a digest to tell two apart; --json has all of it. */
const DIGEST_CHARS = 12;

export function cellOfChange(change: ChangeView, column: "who" | "digests"): string {
  return column === "who" ? whoOf(change) : `${shortOf(change.before)} → ${shortOf(change.after)}`;
}

/** The token's name and id, and what asked for it if that was not the token itself. */
export function whoOf({ author, author_name: name, caller }: ChangeView): string {
  const token = name === null || name === author ? author : `${name} (${author})`;
  return caller === null ? token : `${token} by ${caller}`;
}

function shortOf(digest: string | null): string {
  return digest === null ? "-" : digest.slice(0, DIGEST_CHARS);
}
