/** The routes of the change log, as the commands use them. */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { ChangeView as StoredChange } from "../../src/registry/audit/read-changes.ts";
import type { Verdict } from "../../src/registry/audit/verify.ts";
import { parseAnswer, type Client } from "../client.ts";
import { listRows, type Listing } from "../executions/api.ts";
import type { Entry } from "../registry.ts";

export type ChangeView = StoredChange;
export type ChangedView = ChangeView & { entry_before: Entry | null; entry_after: Entry | null };
type Page = { items: ChangeView[]; next_cursor: string | null };

/** Rows that one request asks for where all are wanted. */
const PAGE = 1000;

/** Newest first. */
export function listChanges(client: Client, query: URLSearchParams, limit: number): Promise<Listing<ChangeView>> {
  return listRows(client, "/changes", query, limit);
}

/** All of them, newest first, page by page. */
export async function* readChanges(client: Client): AsyncGenerator<readonly ChangeView[]> {
  let cursor: string | null = null;
  do {
    const after: string = cursor === null ? "" : `&cursor=${cursor}`;
    const page = parseAnswer(await client.request("GET", `/changes?limit=${PAGE}${after}`)) as Page;
    yield page.items;
    cursor = page.next_cursor;
  } while (cursor !== null);
}

export async function readChange(client: Client, text: string): Promise<ChangedView> {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) {
    throw new SwitchyardError("usage", `Cannot find a change by "${text}": its number must be one from 1 on`, {
      hint: /^[a-z]/.test(text)
        ? `\`opctl get changes --name ${text}\` lists the changes of an entry.`
        : "`opctl get changes` lists them.",
    });
  }
  return parseAnswer(await client.request("GET", `/changes/${text}`)) as ChangedView;
}

export async function verifyPage(client: Client, cursor: string | null): Promise<Verdict> {
  const after = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
  return parseAnswer(await client.request("GET", `/audit?limit=${PAGE}${after}`)) as Verdict;
}
