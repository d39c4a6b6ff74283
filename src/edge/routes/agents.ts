/** What agents are at and what is wanted of them: the built-in functions behind routes of their own, and their events. */
import { SwitchyardError, toSwitchyardError } from "../../core/errors.ts";
import type { RouteContext } from "../context.ts";
import { readJson } from "../body.ts";
import { queryOf } from "../parameters.ts";

const NO_STORE = { "cache-control": "no-store" };
/** How long nothing may be sent: proxies cut what is silent for half a minute. */
const KEEP_ALIVE_MS = 20_000;

const encoder = new TextEncoder();

export function agentStatus(context: RouteContext): Promise<Response> {
  return answer(context, "agent_status", { name: nameOf(context) });
}

export async function planAgent(context: RouteContext): Promise<Response> {
  return answer(context, "plan_agent", await bodyOf(context));
}

export async function seekAgent(context: RouteContext): Promise<Response> {
  return answer(context, "seek_agent", await bodyOf(context), 202);
}

export async function stopAgent(context: RouteContext): Promise<Response> {
  return answer(context, "stop_agent", await bodyOf(context));
}

export async function senseAgent(context: RouteContext): Promise<Response> {
  return answer(context, "sense_agent", await bodyOf(context));
}

/** Goes on as long as somebody reads; an event's id is its seq. */
export async function agentEvents(context: RouteContext): Promise<Response> {
  const { identity, platform } = context.var;
  const name = nameOf(context);
  const { after: asked } = queryOf(context, ["after"] as const);
  let after = seqOf(context.req.header("last-event-id") ?? asked ?? "0");
  // Whether it is there, and may be read.
  await platform.runBuiltin("agent_status", { name }, identity.principal);
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
          const events = await platform.agents.watch(name, { after, waitMs: KEEP_ALIVE_MS });
          if (left) return;
          // Deleted, perhaps: then the answer ends, and who asks again is told.
          if (events.length === 0) await platform.runBuiltin("agent_status", { name }, identity.principal);
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
  return new Response(body, { headers: { ...NO_STORE, "content-type": "text/event-stream" } });
}

async function answer(context: RouteContext, name: string, input: unknown, status = 200): Promise<Response> {
  const { identity, platform } = context.var;
  const { output } = await platform.runBuiltin(name, input, identity.principal);
  return Response.json(output, { status, headers: NO_STORE });
}

function nameOf(context: RouteContext): string {
  return context.req.param("name") ?? "";
}

/** The name stands in the path and nowhere else. */
async function bodyOf(context: RouteContext): Promise<unknown> {
  const { value } = await readJson(context.req.raw);
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !("name" in value)) {
    return { ...value, name: nameOf(context) };
  }
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the body: it must be a JSON object without "name", which stands in the path; it is not`,
  );
}

function seqOf(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new SwitchyardError(
    "bad_request",
    `Cannot go on after "${text.slice(0, 100)}": it must be the seq of an event; it is not`,
  );
}
