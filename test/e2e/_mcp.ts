/** MCP by hand: JSON-RPC over HTTP, as a client of either era sends it, with each message in view. */
import type { Dev } from "./_platform.ts";

export type Message = {
  id?: string | number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { code: number; message: string; data?: unknown };
};

export type Tool = {
  name: string;
  description: string;
  inputSchema: object;
  outputSchema?: object;
  annotations?: object;
};
export type ToolResult = {
  isError?: boolean;
  content: { type: string; text: string }[];
  structuredContent?: unknown;
  _meta: Record<string, unknown>;
};

const BOTH = "application/json, text/event-stream";
let lastId = 0;

type Options = { token?: string; path?: string; headers?: Record<string, string>; signal?: AbortSignal };

/** The messages of an answer, one at a time, as they come; comments are left out. */
export async function* messagesOf(response: Response): AsyncGenerator<Message> {
  if (response.body === null) return;
  if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true) {
    yield (await response.json()) as Message;
    return;
  }
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = event
        .split("\n")
        .flatMap((line) => (line.startsWith("data: ") ? [line.slice("data: ".length)] : []));
      // An event without data only gives the stream an id.
      if (data.join("") !== "") yield JSON.parse(data.join("\n")) as Message;
    }
  }
}

/** A client of the revisions that begin with `initialize`. */
export async function connect(dev: Dev, options: Options = {}) {
  const path = options.path ?? "/mcp";
  let session: string | undefined;
  const send = (message: object, more: Options = {}): Promise<Response> =>
    dev.request(more.path ?? path, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      token: more.token ?? options.token ?? dev.token,
      ...(more.signal === undefined ? {} : { signal: more.signal }),
      headers: {
        accept: BOTH,
        ...(session === undefined ? {} : { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" }),
        ...more.headers,
      },
    });
  /** The answer, with what came before it. */
  const request = async (method: string, params: object = {}, more: Options & { id?: number } = {}) => {
    const id = more.id ?? ++lastId;
    const before: Message[] = [];
    for await (const message of messagesOf(await send({ id, method, params }, more))) {
      if (message.id === id) return { ...message, before };
      before.push(message);
    }
    throw new Error(`no answer to ${method}`);
  };
  const hello = await send({
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
  });
  session = hello.headers.get("mcp-session-id") ?? undefined;
  let initialized: Message | undefined;
  for await (const message of messagesOf(hello)) initialized = message;
  return {
    session,
    initialized,
    send,
    request,
    async tools(): Promise<Tool[]> {
      const found: Tool[] = [];
      let cursor: unknown;
      do {
        const { result, error } = await request("tools/list", cursor === undefined ? {} : { cursor });
        if (result === undefined) throw new Error(JSON.stringify(error));
        found.push(...(result["tools"] as Tool[]));
        cursor = result["nextCursor"];
      } while (cursor !== undefined);
      return found;
    },
    async call(name: string, input: object = {}, meta?: object): Promise<ToolResult> {
      const { result, error } = await request("tools/call", {
        name,
        arguments: input,
        ...(meta === undefined ? {} : { _meta: meta }),
      });
      if (result === undefined) throw new Error(JSON.stringify(error));
      return result as ToolResult;
    },
    /** The stream of what the server says by itself. */
    listen: (signal?: AbortSignal): Promise<Response> =>
      dev.request(path, {
        token: options.token ?? dev.token,
        ...(signal === undefined ? {} : { signal }),
        headers: { accept: "text/event-stream", ...(session === undefined ? {} : { "mcp-session-id": session }) },
      }),
  };
}

/** One request of the revision in which each stands for itself. */
export function modern(dev: Dev, method: string, params: Record<string, unknown> = {}, options: Options = {}) {
  const { _meta: meta, ...rest } = params;
  const name = params["name"] ?? params["uri"];
  return dev.request(options.path ?? "/mcp", {
    method: "POST",
    token: options.token ?? dev.token,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    headers: {
      accept: BOTH,
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(typeof name === "string" ? { "mcp-name": name } : {}),
      ...options.headers,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: ++lastId,
      method,
      params: {
        ...rest,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {},
          ...(meta as object),
        },
      },
    }),
  });
}

/** The last message of an answer. */
export async function answerOf(response: Response): Promise<Message> {
  let last: Message | undefined;
  for await (const message of messagesOf(response)) last = message;
  if (last === undefined) throw new Error(`no message, ${response.status}`);
  return last;
}
