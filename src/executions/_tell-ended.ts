/** What whoever asked to hear of the end of executions is told of them. */
import { utf8Length } from "../core/hash.ts";
import { LIMITS } from "../core/limits.ts";
import type { EndedExecution } from "../model/ended.ts";
import type { Store } from "./_store.ts";
import { headOf } from "./_shard-parts.ts";
import type { Payload } from "./messages.ts";
import { toView } from "./view.ts";

/** Of one message; the runtime takes 32 MiB. */
const MESSAGE_CHARS = 8_000_000;

/** JSON of EndedExecution[], in the order of the ids, without those that are not kept here. The first always goes. */
export function tellEnded(store: Store, ids: readonly string[], { inputs }: { inputs: boolean }): string {
  const rows = new Map(store.findAll(ids).map((row) => [row.id, row]));
  const texts: string[] = [];
  let chars = 0;
  for (const id of ids) {
    const row = rows.get(id);
    if (row === undefined) continue;
    const output = small(row.status === "succeeded" ? store.output(row.seq) : undefined);
    const input = small(inputs ? store.input(row.seq) : undefined);
    const ended: EndedExecution = {
      view: toView(row),
      // Records of the first versions have none.
      depth: headOf(row).depth ?? 0,
      ...(output === undefined ? {} : { output }),
      ...(input === undefined ? {} : { input }),
    };
    const text = JSON.stringify(ended);
    if (texts.length > 0 && chars + text.length > MESSAGE_CHARS) break;
    texts.push(text);
    chars += text.length;
  }
  return `[${texts.join(",")}]`;
}

function small(payload: Payload | undefined): string | undefined {
  if (payload === undefined || !("text" in payload)) return undefined;
  return utf8Length(payload.text) <= LIMITS.eventPayloadBytes ? payload.text : undefined;
}
