/** What happens to an agent or a service, as the platform tells it: server-sent events that are numbered. */
import { setTimeout as pause } from "node:timers/promises";
import { parseAnswer, type Client } from "./client.ts";
import { createPatience } from "./executions/patience.ts";
import { readEvents } from "./executions/server-sent-events.ts";

/** Before a stream is asked for again that the platform ended. */
const ENDED_MS = 500;

/** Without an end. A connection that breaks, a platform that restarts: it is asked again from behind the last event. */
export async function* followEvents<Event extends { seq: number }>(
  client: Client,
  route: string,
  from: number,
): AsyncGenerator<Event & { type: string }> {
  const patience = createPatience(client);
  for (let after = from; ;) {
    try {
      const response = await client.open("GET", `${route}?after=${after}`, {
        headers: { accept: "text/event-stream" },
      });
      patience.reached();
      if (response.body === null) return;
      for await (const { event, data } of readEvents(response.body)) {
        patience.restore();
        const happened = { ...(parseAnswer({ text: data }) as Event), type: event };
        after = happened.seq;
        yield happened;
      }
      await pause(ENDED_MS);
    } catch (error) {
      await pause(patience.afterFailure(error));
    }
  }
}
