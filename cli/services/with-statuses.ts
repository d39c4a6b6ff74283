/** What services are at, beside what their rows say: added to the meta data of those that are shown, and of no others. */
import { eachAtOnce } from "../at-once.ts";
import type { Client } from "../client.ts";
import type { Context } from "../command.ts";
import type { Entry } from "../registry.ts";
import { readStatus } from "./api.ts";
import { isUp, readyOf } from "./status-text.ts";

/** Adds state, since, ready, waiting and problem; where that cannot be told, the reason as the problem. */
export async function withStatuses({ client }: Pick<Context, "client">, entries: readonly Entry[]): Promise<Entry[]> {
  return eachAtOnce(entries, (entry) => told(client, entry));
}

async function told(client: Client, entry: Entry): Promise<Entry> {
  try {
    const status = await readStatus(client, entry.name);
    const { state, since, waiting, crashes } = status;
    const problem = status.problem ?? (crashes.looping && !isUp(status) ? crashes.reason : null);
    return {
      ...entry,
      meta: { ...entry.meta, state, since, ready: readyOf(status), waiting, problem } as Entry["meta"],
    };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const unknown = { state: null, since: null, ready: null, waiting: null, problem };
    return { ...entry, meta: { ...entry.meta, ...unknown } };
  }
}
