/** What services are at, beside what their rows say: added to the meta data of those that are shown, and of no others. */
import type { Client } from "../client.ts";
import type { Context } from "../command.ts";
import type { Entry } from "../registry.ts";
import { readStatus } from "./api.ts";
import { isUp, readyOf } from "./status-text.ts";

/** Each is asked by itself, so many at once. */
const AT_ONCE = 8;

/** Adds state, since, ready, waiting and problem; where that cannot be told, the reason as the problem. */
export async function withStatuses({ client }: Pick<Context, "client">, entries: readonly Entry[]): Promise<Entry[]> {
  const shown: Entry[] = [];
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    shown.push(...(await Promise.all(entries.slice(at, at + AT_ONCE).map((entry) => told(client, entry)))));
  }
  return shown;
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
