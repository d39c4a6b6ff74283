/**
 * A stream that broke is taken up again by any isolate, because what it told of is an execution, and the id of the event
 * says which. In revisions from 2025-11-25 on that have sessions; clients come back with Last-Event-ID.
 */
import { SwitchyardError } from "../../core/errors.ts";
import type { Identity, Platform } from "../context.ts";
import { follow } from "./follow.ts";
import { shapeOf } from "./tool.ts";

/** The request of JSON-RPC that a stream answers. */
export type Answered = { id: string | number; progressToken: string | number | undefined };

const ID = /^(ex_[0-9a-z_]{1,64})\/([\x21-\x7e]{1,1024})$/;
const COME_BACK_MS = 1_000;
const EVENTS = { "content-type": "text/event-stream", "cache-control": "no-store" };

/** The event that a stream begins with once it can be taken up again; undefined: the client's ids are too long for that. */
export function firstEvent(executionId: string, { id, progressToken }: Answered): string | undefined {
  const eventId = `${executionId}/${encodeURIComponent(JSON.stringify([id, progressToken ?? null]))}`;
  return ID.test(eventId) ? `id: ${eventId}\nretry: ${COME_BACK_MS}\ndata: \n\n` : undefined;
}

type Asker = { identity: Identity; signal: AbortSignal };
type Ports = Pick<Platform, "registry" | "executions" | "dispatch" | "background">;

/** Tells the rest, and the answer. Throws bad_request for what is no id of ours, entity_not_found for another's. */
export async function resume(lastEventId: string, { identity, signal }: Asker, platform: Ports) {
  const { executionId, id, progressToken } = parse(lastEventId);
  const view = await platform.executions.find(executionId);
  if (view === undefined || view.principal !== identity.principal.id) {
    throw new SwitchyardError(
      "entity_not_found",
      `Cannot go on after "${executionId}": it must be kept here and the token's own; there is none such`,
    );
  }
  const { operation } = await platform.registry.resolve(view.operation, { revision: view.revision });
  // Nothing is held for a client that does not read: each message waits until the one before is taken.
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  const write = (text: string): Promise<void> => writer.write(encoder.encode(text));
  const tell = (message: object): Promise<void> =>
    write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
  const progress = async (message: string, number: number): Promise<void> =>
    tell({ method: "notifications/progress", params: { progressToken, progress: number, message } });
  const work = async (): Promise<void> => {
    await write(firstEvent(executionId, { id, progressToken }) ?? "");
    const following = {
      signal,
      abandon: false,
      again: true,
      log: undefined,
      wrapped: shapeOf(operation).outputWrapped,
    };
    const told = progressToken === undefined ? undefined : progress;
    await tell({ id, result: await follow(executionId, { ...following, progress: told }, platform) });
    await writer.close();
  };
  work().catch((error: unknown) => writer.abort(error).catch(() => undefined));
  return { response: new Response(readable, { headers: EVENTS }), executionId, id };
}

function parse(text: string): Answered & { executionId: string } {
  const [, executionId, request] = ID.exec(text) ?? [];
  try {
    const [id, progressToken] = JSON.parse(decodeURIComponent(request ?? "")) as unknown[];
    if (executionId !== undefined && isId(id) && (progressToken === null || isId(progressToken))) {
      return { executionId, id, progressToken: progressToken ?? undefined };
    }
  } catch {
    // Said below.
  }
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the header Last-Event-ID: it must be the id of an event that was sent here; it is ${JSON.stringify(text.slice(0, 100))}`,
  );
}

function isId(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}
