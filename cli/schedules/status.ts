/** What schedules do, beside what their rows say: when they are due next and what became of the last due time. */
import { parseAnswer, type Client } from "../client.ts";
import type { Entry } from "../registry.ts";

export type Firing = {
  due_at: string;
  status: "fired" | "skipped" | "queued" | "failed" | "missed";
  fired_at: string | null;
  execution_id: string | null;
  reason: string | null;
  manual: boolean;
  tries: number;
};
export type Status = { name: string; active: boolean; next: string[]; last: Firing | null; waiting: number };

const PAGE = 500;

export async function readStatus(client: Client, name: string): Promise<Status> {
  return parseAnswer(await client.request("GET", `/schedules/${encodeURIComponent(name)}`)) as Status;
}

export async function readFirings(client: Client, name: string, limit: number): Promise<Firing[]> {
  const answer = await client.request("GET", `/schedules/${encodeURIComponent(name)}/firings?limit=${limit}`);
  return (parseAnswer(answer) as { items: Firing[] }).items;
}

/** Adds to the meta data of each schedule: next_due, last_due, last_status, last_execution, waiting. */
export async function withStatuses(client: Client, entries: readonly Entry[]): Promise<Entry[]> {
  const [only] = entries;
  if (only === undefined) return [];
  const found = entries.length === 1 ? [await readStatus(client, only.name)] : await readAll(client, entries.length);
  const byName = new Map(found.map((status) => [status.name, status]));
  return entries.map((entry) => {
    const status = byName.get(entry.name);
    if (status === undefined) return entry;
    const { next, last, waiting } = status;
    const told = {
      next_due: next[0] ?? null,
      last_due: last?.due_at ?? null,
      last_status: last?.status ?? null,
      last_execution: last?.execution_id ?? null,
      waiting,
    };
    return { ...entry, meta: { ...entry.meta, ...told } };
  });
}

/** Whatever is chosen of them: the statuses come in the order of names, and are read to the end. */
async function readAll(client: Client, atLeast: number): Promise<Status[]> {
  const all: Status[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const after: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await client.request("GET", `/schedules?limit=${Math.max(Math.min(PAGE, atLeast), 100)}${after}`);
    const page = parseAnswer(answer) as { items: Status[]; next_cursor: string | null };
    all.push(...page.items);
    cursor = page.next_cursor;
  }
  return all;
}
