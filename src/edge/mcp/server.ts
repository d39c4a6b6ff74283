/**
 * What the SDK's server does for one request: lists tools, calls one, shows an execution. It is made anew for each request
 * and keeps nothing, so any isolate can answer any client (decision 19).
 */
import {
  LOG_LEVEL_META_KEY,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type LoggingLevel,
  type McpRequestContext,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { SwitchyardError, toErrorData, toSwitchyardError } from "../../core/errors.ts";
import { passOnContext, type TraceContext } from "../../core/trace.ts";
import { NAME_PATTERN } from "../../model/names.ts";
import type { Identity, Platform } from "../context.ts";
import { callTool, type ToolCall } from "./call.ts";
import type { Client, Memory } from "./memory.ts";
import type { Answered } from "./resume.ts";
import { listTemplates, readExecution } from "./resources.ts";
import type { Tools } from "./tools.ts";
import { selectionOf, type View } from "./view.ts";

export type Asked = {
  platform: Pick<Platform, "registry" | "dispatch" | "executions" | "background" | "version">;
  identity: Identity;
  view: View;
  client: Client;
  tools: Tools;
  memory: Memory;
  trace: TraceContext;
  /** The client's request is behind this execution now. */
  onKept(executionId: string, request: Answered): void;
};

/** In the order of their weight. */
const LEVELS: readonly LoggingLevel[] = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
];

const INSTRUCTIONS =
  "Each tool is an operation of a Switchyard registry; the list changes as operations are deployed. Errors say by code, " +
  "detail and hint what to do. A call that outlasts your patience goes on: its result names the execution, whose state " +
  "and output are the resource switchyard:///executions/ID.";

export function createServer(asked: Asked, { era }: McpRequestContext): Server {
  const { platform, identity, view, client, tools, memory } = asked;
  const server = new Server(
    { name: "switchyard", title: "Switchyard", version: platform.version },
    {
      capabilities: { tools: { listChanged: true }, resources: {}, logging: {} },
      instructions: INSTRUCTIONS,
      // It would check what people answer to questions that are never asked here.
      jsonSchemaValidator: { getValidator: () => unused },
    },
  );
  server.setRequestHandler("logging/setLevel", ({ params }) => {
    memory.setLevel(client, params.level);
    return {};
  });
  server.setRequestHandler("tools/list", ({ params }) =>
    answered(() => tools.page(selectionOf(view, identity.principal), cursorOf(params?.cursor))),
  );
  server.setRequestHandler("resources/list", () => ({ resources: [] }));
  server.setRequestHandler("resources/templates/list", listTemplates);
  server.setRequestHandler("resources/read", ({ params }) =>
    answered(() => readExecution(params.uri, { executions: platform.executions, principal: identity.principal })),
  );
  server.setRequestHandler("tools/call", ({ params }, context) =>
    answered(async () => {
      const result = await callTool(
        {
          name: params.name,
          arguments: params.arguments ?? {},
          trace: traceOfCall(context, asked.trace),
          signal: context.mcpReq.signal,
          // Earlier revisions: a connection that broke is no cancellation, the client may only have lost its network.
          abandon: era === "modern",
          progress: progressOf(context),
          log: logOf(context, { era, level: memory.level(client), logger: params.name }),
          onKept: (id) => {
            asked.onKept(id, { id: context.mcpReq.id, progressToken: progressTokenOf(context) });
            return memory.remember(client, context.mcpReq.id, id);
          },
        },
        { platform, identity, view },
      );
      if (result !== undefined) return result;
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name.slice(0, 200)}`);
    }),
  );
  return server;
}

/** What the platform throws becomes an error of the protocol, with the problem as its data. */
async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof ProtocolError) throw thrown;
    const error = toErrorData(toSwitchyardError(thrown));
    const code = error.code === "bad_request" ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError;
    throw new ProtocolError(code, error.detail, error);
  }
}

function cursorOf(cursor: string | undefined): string | undefined {
  if (cursor === undefined || NAME_PATTERN.test(cursor)) return cursor;
  throw new SwitchyardError(
    "bad_request",
    `Cannot go on after "${cursor.slice(0, 100)}": the cursor must be the nextCursor of the page before; it is not`,
  );
}

/** What the call says of itself, for clients of which one span makes many calls; else what the request of HTTP said. */
function traceOfCall({ mcpReq }: ServerContext, ofRequest: TraceContext): TraceContext {
  const { _meta: meta } = mcpReq;
  const { traceparent, tracestate } = meta ?? {};
  if (typeof traceparent !== "string" || !isHeaderText(traceparent)) return ofRequest;
  const given = new Headers({ traceparent });
  if (typeof tracestate === "string" && isHeaderText(tracestate)) given.set("tracestate", tracestate);
  return passOnContext(given);
}

function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function progressTokenOf({ mcpReq }: ServerContext): string | number | undefined {
  const { _meta: meta } = mcpReq;
  return meta?.progressToken;
}

/** How much is left is not known. */
function progressOf(context: ServerContext): ToolCall["progress"] {
  const progressToken = progressTokenOf(context);
  if (progressToken === undefined) return undefined;
  return async (message, progress) =>
    quietly(context.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, message } }));
}

function logOf(
  { mcpReq }: ServerContext,
  asked: { era: McpRequestContext["era"]; level: LoggingLevel | undefined; logger: string },
): ToolCall["log"] {
  // Its type leaves out what is deprecated.
  const envelope = mcpReq.envelope as Readonly<Record<string, unknown>> | undefined;
  const wanted = asked.era === "modern" ? envelope?.[LOG_LEVEL_META_KEY] : asked.level;
  const least = LEVELS.indexOf(wanted as LoggingLevel);
  if (least === -1) return undefined;
  return async ({ level: ours, message }) => {
    const level = LEVELS.find((name) => name === (ours === "warn" ? "warning" : ours)) ?? "info";
    if (LEVELS.indexOf(level) < least) return;
    await quietly(
      mcpReq.notify({ method: "notifications/message", params: { level, logger: asked.logger, data: message } }),
    );
  };
}

/** A client that has gone is noticed by its signal. */
async function quietly(sent: Promise<void>): Promise<void> {
  await sent.catch(() => undefined);
}

const unused = (): never => {
  throw new TypeError("nothing is asked of the people behind a client");
};
