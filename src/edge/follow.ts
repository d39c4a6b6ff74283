/**
 * What happens to an agent or a service as server-sent events (WHATWG HTML, 9.2): an event's id is its seq, so that a client that comes
 * back with the last one misses nothing and hears nothing twice. Goes on as long as somebody reads: the reader pulls.
 */
import { SwitchyardError, toSwitchyardError } from "../core/errors.ts";
import type { RouteContext } from "./context.ts";
import { queryOf } from "./parameters.ts";

/** How long nothing may be sent: proxies cut what is silent for half a minute. */
const KEEP_ALIVE_MS = 20_000;

const encoder = new TextEncoder();

type Followed = {
  /** Throws where it is not there, or may not be looked at. */
  check: () => Promise<unknown>;
  /** Waits for the next where there are none. */
  watch: (options: { after: number; waitMs: number }) => Promise<readonly { seq: number; type: string }[]>;
};

export async function follow(context: RouteContext, { check, watch }: Followed): Promise<Response> {
  const { after: asked } = queryOf(context, ["after"] as const);
  let after = seqOf(context.req.header("last-event-id") ?? asked ?? "0");
  await check();
  let begun = false;
  let left = false;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!begun) {
          begun = true;
          return controller.enqueue(encoder.encode("retry: 1000\n\n"));
        }
        try {
          const events = await watch({ after, waitMs: KEEP_ALIVE_MS });
          if (left) return;
          // Deleted, perhaps: then the answer ends, and who asks again is told.
          if (events.length === 0) await check();
          after = events.at(-1)?.seq ?? after;
          const lines = events.map(
            ({ type, ...event }) => `id: ${event.seq}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`,
          );
          controller.enqueue(encoder.encode(lines.join("") || ": keep-alive\n\n"));
        } catch (thrown) {
          if (left) return;
          // An answer has begun, so it is too late for a problem. The client comes back and is told then.
          controller.enqueue(encoder.encode(`: interrupted by ${toSwitchyardError(thrown).code}\n\n`));
          controller.close();
        }
      },
      cancel() {
        left = true;
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "cache-control": "no-store", "content-type": "text/event-stream" } });
}

function seqOf(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new SwitchyardError(
    "bad_request",
    `Cannot go on after "${text.slice(0, 100)}": it must be the seq of an event; it is not`,
  );
}
