/**
 * MCP over Streamable HTTP, by the official SDK, for both of its eras: revisions up to 2025-11-25, which begin with
 * `initialize`, and 2026-07-28, in which each request stands for itself. A session id is given out to the former and kept
 * nowhere.
 */
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  InMemoryServerEventBus,
  originValidationResponse,
  SUPPORTED_PROTOCOL_VERSIONS,
  type ServerEventBus,
} from "@modelcontextprotocol/server";
import { ERRORS, SwitchyardError, toErrorData, toSwitchyardError } from "../../core/errors.ts";
import type { TraceContext } from "../../core/trace.ts";
import { readJson } from "../body.ts";
import type { Limited } from "../../model/rate-limit.ts";
import type { Identity, Platform } from "../context.ts";
import { limitToken } from "../rate-limits.ts";
import { bounded, interjection } from "./bounded.ts";
import { toolChanges } from "./changes.ts";
import { Memory, type Client } from "./memory.ts";
import { firstEvent, resume, type Answered } from "./resume.ts";
import { OpenStreams } from "./open-streams.ts";
import { createServer } from "./server.ts";
import { Tools } from "./tools.ts";
import { parseView, type View } from "./view.ts";

/** `limits`: what the token was held to for this request. */
type Asker = { identity: Identity; limits: Limited[]; trace: TraceContext };
export type Mcp = (request: Request, asker: Asker) => Promise<Response>;

/** What may wait for a client that does not read, beside one event. Bytes. */
const UNREAD_BYTES = 1024 * 1024;
/** Streams of changes that are open at once in this isolate. */
const STREAMS = 1_000;
const SESSION = "mcp-session-id";
const SESSION_CHARS = 128;
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const EVENTS = { "content-type": "text/event-stream", "cache-control": "no-store" };

export function createMcp(platform: Platform): Mcp {
  const tools = new Tools(platform.registry);
  const memory = new Memory();
  const streams = new OpenStreams(STREAMS, Date.now);
  const changesFor = (principalId: string, view: View) =>
    toolChanges({ registry: platform.registry, principalId, view, sleep });

  /** Of revisions that have GET. Looks for changes only as fast as the client reads. */
  function changeEvents(principalId: string, view: View): Response {
    const stream = streams.enter();
    const changes = changesFor(principalId, view);
    const encoder = new TextEncoder();
    let open = true;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          stream.seen();
          const { done, value } = await changes.next();
          if (!open) return;
          if (done !== true) return controller.enqueue(encoder.encode(value ? CHANGED : ": nothing new\n\n"));
          stream.left();
          controller.close();
        },
        cancel() {
          open = false;
          stream.left();
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: EVENTS });
  }

  /** Of the revision that has subscriptions/listen: what the SDK listens to. `close` ends what listens. */
  function changeBus(principalId: string, view: View, close: () => void): ServerEventBus {
    const bus = new InMemoryServerEventBus();
    const tell = async (stream: ReturnType<OpenStreams["enter"]>): Promise<void> => {
      for await (const changed of changesFor(principalId, view)) {
        if (bus.listenerCount === 0) return;
        stream.seen();
        if (changed) bus.publish({ kind: "tools_list_changed" });
      }
      close();
    };
    return {
      publish: (event) => bus.publish(event),
      subscribe(listener) {
        const stream = streams.enter();
        const leave = bus.subscribe(listener);
        tell(stream).catch(close);
        return () => {
          stream.left();
          leave();
        };
      },
    };
  }

  async function post(request: Request, { identity, limits, trace }: Asker, view: View): Promise<Response> {
    const { value } = await readJson(request);
    const { principal } = identity;
    // One request of HTTP was counted; a batch holds as many as it holds.
    for (let more = requestsIn(value); more > 1; more--) await limitToken(principal, limits, platform.rateLimits);
    const client: Client = { principal: principal.id, session: sessionOf(request) };
    await Promise.all(cancelled(value).map((id) => cancel(client, id)));
    const between = interjection();
    const resumable = isResumable(request, value);
    const asked = {
      platform,
      identity,
      view,
      client,
      tools,
      memory,
      trace,
      onKept(id: string, answered: Answered): void {
        if (resumable) between.say(firstEvent(id, answered) ?? "");
      },
    };
    const handler = createMcpHandler((context) => createServer(asked, context), {
      bus: changeBus(principal.id, view, () => void handler.close()),
      onerror: () => undefined,
    });
    const response = await handler.fetch(request, { parsedBody: value });
    const headers = new Headers(response.headers);
    if (isInitialize(value) && response.ok) headers.set(SESSION, crypto.randomUUID());
    const { body, status } = response;
    return new Response(body === null ? null : bounded(body, UNREAD_BYTES, between), { status, headers });
  }

  /** In revisions that have it. Whether there was something to cancel is nothing that a client is told. */
  async function cancel(client: Client, requestId: string | number): Promise<void> {
    const id = memory.running(client, requestId);
    if (id !== undefined) await platform.executions.cancel(id).catch(() => undefined);
  }

  async function goOn(request: Request, identity: Identity, lastEventId: string): Promise<Response> {
    const { response, executionId, id } = await resume(lastEventId, { identity, signal: request.signal }, platform);
    memory.remember({ principal: identity.principal.id, session: sessionOf(request) }, id, executionId);
    return response;
  }

  return async (request, asker) => {
    const refused = foreign(request, platform.publicUrl);
    if (refused !== undefined) return refused;
    try {
      const view = parseView(request.url);
      if (request.method === "POST") return await post(request, asker, view);
      refuseVersion(request);
      const lastEventId = request.headers.get("last-event-id");
      if (lastEventId === null) return changeEvents(asker.identity.principal.id, view);
      return await goOn(request, asker.identity, lastEventId);
    } catch (thrown) {
      return refusal(thrown);
    }
  };
}

const CHANGED = `event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })}\n\n`;

/**
 * A page in a browser must not reach us under a name of its own (DNS rebinding), nor from elsewhere. Where we do not know
 * our own name, on Cloudflare, requests come to us by it, and an origin must be it.
 */
function foreign(request: Request, publicUrl: string | undefined): Response | undefined {
  if (publicUrl === undefined) return originValidationResponse(request, [new URL(request.url).hostname]);
  const own = [...LOOPBACK, new URL(publicUrl).hostname];
  return hostHeaderValidationResponse(request, own) ?? originValidationResponse(request, own);
}

function refuseVersion(request: Request): void {
  const version = request.headers.get("mcp-protocol-version");
  if (version === null || SUPPORTED_PROTOCOL_VERSIONS.includes(version)) return;
  throw new SwitchyardError(
    "bad_request",
    `Cannot speak MCP "${version.slice(0, 100)}" here: a stream of changes is of ${SUPPORTED_PROTOCOL_VERSIONS.join(", ")}; later ones have subscriptions/listen`,
  );
}

/** What is wrong with a request, as the SDK says it of what it reads itself: JSON-RPC without an id. Else it is thrown. */
function refusal(thrown: unknown): Response {
  const error = toErrorData(toSwitchyardError(thrown));
  const { status } = ERRORS[error.code];
  if (status === 429 || status >= 500) throw thrown;
  const code = status === 400 ? -32700 : -32600;
  return Response.json({ jsonrpc: "2.0", id: null, error: { code, message: error.detail, data: error } }, { status });
}

/** Whatever a client shows is as good as what we gave out, as long as it is no burden to remember. */
function sessionOf(request: Request): string | undefined {
  const session = request.headers.get(SESSION);
  return session === null || session.length > SESSION_CHARS ? undefined : session;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isInitialize(message: unknown): boolean {
  return isRecord(message) && message["method"] === "initialize";
}

/** A client of before would not know what to make of an event without data; a batch is of before that. */
function isResumable(request: Request, message: unknown): boolean {
  const version = request.headers.get("mcp-protocol-version") ?? "";
  return isRecord(message) && SUPPORTED_PROTOCOL_VERSIONS.includes(version) && version >= "2025-11-25";
}

function messagesIn(body: unknown): unknown[] {
  return Array.isArray(body) ? body : [body];
}

function requestsIn(body: unknown): number {
  return messagesIn(body).filter((message) => isRecord(message) && message["id"] !== undefined).length;
}

function cancelled(body: unknown): (string | number)[] {
  return messagesIn(body).flatMap((message) => {
    if (!isRecord(message) || message["method"] !== "notifications/cancelled") return [];
    const params = message["params"];
    const id = isRecord(params) ? params["requestId"] : undefined;
    return typeof id === "string" || typeof id === "number" ? [id] : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
