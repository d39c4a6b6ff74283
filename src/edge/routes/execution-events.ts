/** GET /executions/:id/events: see event-stream.ts. Rights are checked before the stream begins. */
import { SwitchyardError } from "../../core/errors.ts";
import { isFinal } from "../../model/execution-states.ts";
import type { RouteContext } from "../context.ts";
import { eventStream, type Position } from "../event-stream.ts";
import { readable } from "./_access.ts";

const NO_STORE = { "cache-control": "no-store" };

export async function getEvents(context: RouteContext): Promise<Response> {
  const { executions } = context.var.platform;
  const lastEventId = context.req.header("last-event-id");
  const from = lastEventId === undefined ? { version: 0, afterLog: 0 } : positionOf(lastEventId);
  const { id, status } = await readable(context);
  if (lastEventId !== undefined && isFinal(status)) {
    const rest = await executions.watch(id, { ...from, waitMs: 0 });
    // Browsers come back after every end. 204 is how they are told that there is no more to come.
    if (rest === undefined || (rest.version <= from.version && rest.logs.length === 0)) {
      return new Response(null, { status: 204, headers: NO_STORE });
    }
  }
  return new Response(eventStream(executions, id, from), {
    headers: { ...NO_STORE, "content-type": "text/event-stream" },
  });
}

function positionOf(text: string): Position {
  const match = /^([0-9]{1,15})-([0-9]{1,15})$/.exec(text);
  if (match !== null) return { version: Number(match[1]), afterLog: Number(match[2]) };
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the header Last-Event-ID: it must be the id of an event that was sent here; it is ${JSON.stringify(text.slice(0, 100))}`,
  );
}
