/**
 * The chain of changes, computed here from the rows that the platform gives: what it says of its own hashes is not
 * believed. Rows come newest first, so that of many places that do not fit the last one found is the first in the log.
 */
import { GENESIS, hashOfChange } from "../../src/registry/audit/chain.ts";
import type { Broken, Head } from "../../src/registry/audit/verify.ts";
import type { ChangeView } from "./api.ts";

export type Chain = { changes: number; head: Head | undefined; broken: Broken | undefined };

/** `noted`: a head from earlier. `seen` is told how many rows have been checked. */
export async function checkChain(
  pages: AsyncIterable<readonly ChangeView[]>,
  noted: Head | undefined,
  seen: (changes: number) => void = () => undefined,
): Promise<Chain> {
  const chain: Chain = { changes: 0, head: undefined, broken: undefined };
  let newer: ChangeView | undefined;
  let mismatch: Broken | undefined;
  for await (const page of pages) {
    for (const row of page) {
      chain.head ??= { seq: row.seq, hash: row.hash ?? "" };
      if (noted?.seq === row.seq) mismatch = noteOf(row, noted);
      if (newer !== undefined) chain.broken = (await wrongWith(newer, row)) ?? chain.broken;
      newer = row;
      chain.changes++;
    }
    seen(chain.changes);
  }
  if (newer !== undefined) chain.broken = (await wrongWith(newer, undefined)) ?? chain.broken;
  if (noted !== undefined && (chain.head?.seq ?? 0) < noted.seq) mismatch = tooShort(noted, chain.head?.seq ?? 0);
  chain.broken ??= mismatch;
  return chain;
}

export function noteOf({ hash, seq }: { seq: number; hash: string | null }, noted: Head): Broken | undefined {
  if (hash === noted.hash) return undefined;
  return { seq, detail: `change ${seq}: its hash must be ${noted.hash}, as it was noted; it is ${hash ?? "missing"}` };
}

export function tooShort(noted: Head, last: number): Broken {
  return { seq: null, detail: `the log must reach change ${noted.seq}, which was noted; it ends at ${last}` };
}

async function wrongWith(row: ChangeView, older: ChangeView | undefined): Promise<Broken | undefined> {
  if (row.seq !== (older?.seq ?? 0) + 1) {
    const missing = (older?.seq ?? 0) + 1;
    return { seq: missing, detail: `change ${missing}: it must be in the log; the next is ${row.seq}` };
  }
  const hash = await hashOfChange(older?.hash ?? GENESIS, row);
  if (hash === row.hash) return undefined;
  const title = `change ${row.seq} (${row.action} ${row.kind} ${row.name} by ${row.author_name ?? row.author})`;
  return { seq: row.seq, detail: `${title}: its hash must be ${hash}; it is ${row.hash ?? "missing"}` };
}
