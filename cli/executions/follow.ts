/**
 * What happens to an execution, as it happens, to its end. A connection that breaks, a platform that restarts: it is
 * asked again from behind the last event, so that nothing is told twice and nothing is left out.
 */
import { setTimeout as pause } from "node:timers/promises";
import { isFinal } from "../../src/model/execution-states.ts";
import type { ExecutionLogLine, ExecutionView } from "../../src/model/execution.ts";
import { parseAnswer, type Client } from "../client.ts";
import { executionRoute } from "./api.ts";
import { createPatience } from "./patience.ts";
import { readEvents } from "./server-sent-events.ts";

/** Before a stream is asked for again that the platform itself ended before the execution did. */
const ENDED_EARLY_MS = 500;

export type Happening = { type: "state"; execution: ExecutionView } | { type: "log"; line: ExecutionLogLine };

export async function* followExecution(client: Client, id: string, signal?: AbortSignal): AsyncGenerator<Happening> {
  const patience = createPatience(client);
  let lastId = "";
  let ended = false;
  while (!ended) {
    let waitMs: number;
    try {
      const response = await client.open("GET", `${executionRoute(id)}/events`, {
        headers: { accept: "text/event-stream", ...(lastId === "" ? {} : { "last-event-id": lastId }) },
        signal,
      });
      patience.reached();
      if (response.body === null) return; // 204: there is no more to come.
      for await (const event of readEvents(response.body)) {
        patience.restore();
        if (event.lastId !== "") lastId = event.lastId;
        const happening = happeningOf(event.event, event.data);
        if (happening === undefined) continue;
        // Its last lines may still come; the platform ends the stream.
        if (happening.type === "state" && isFinal(happening.execution.status)) ended = true;
        yield happening;
      }
      waitMs = ENDED_EARLY_MS;
    } catch (error) {
      signal?.throwIfAborted();
      if (ended) return;
      waitMs = patience.afterFailure(error);
    }
    if (!ended) await pause(waitMs, undefined, { signal });
  }
}

/** An event that this opctl does not know (a newer platform) is passed over. */
function happeningOf(event: string, data: string): Happening | undefined {
  if (event === "state") return { type: "state", execution: parseAnswer({ text: data }) as ExecutionView };
  if (event === "log") return { type: "log", line: parseAnswer({ text: data }) as ExecutionLogLine };
  return undefined;
}
