/**
 * A libSQL server for one file, small enough to be embedded: Hrana over HTTP, on a unix socket or on loopback. An
 * open port is full control of the registry, so every request must carry the secret made at start.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Client } from "@libsql/client";
import { HranaError, toWireError, type PipelineRequest } from "./hrana/protocol.ts";
import { Streams } from "./hrana/streams.ts";

export type ServerOptions = {
  /** Opened with `intMode: "bigint"`. */
  client: Client;
  /** A path, or a port of 127.0.0.1 (0 chooses one). */
  listen: { socket: string } | { port: number };
  secret: string;
  /** Milliseconds until a stream whose client is silent is closed. */
  idleMs?: number;
};

export type Server = {
  /** As a libSQL client takes it; for a socket, the host part means nothing. */ url: string;
  close(): Promise<void>;
};

const MAX_BODY_BYTES = 64 * 1024 * 1024;

export async function serveDatabase(options: ServerOptions): Promise<Server> {
  const streams = new Streams(options.client, options.idleMs ?? 10_000);
  const expected = hash(`Bearer ${options.secret}`);
  const server = createServer((request, response) => {
    handle(request, streams, expected).then(
      (body) => send(response, 200, body),
      (error: unknown) =>
        send(response, error instanceof HranaError ? (STATUS[error.code] ?? 400) : 500, toWireError(error)),
    );
  });
  // A socket file left by a killed process would be "in use" for ever. Whoever owns the state folder owns it.
  if ("socket" in options.listen) rmSync(options.listen.socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if ("socket" in options.listen) server.listen(options.listen.socket, resolve);
    else server.listen(options.listen.port, "127.0.0.1", resolve);
  });
  const url =
    "socket" in options.listen
      ? "http://registry.internal"
      : `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      streams.close();
    },
  };
}

const STATUS: Record<string, number> = { UNAUTHORIZED: 401, NOT_FOUND: 404, TOO_LARGE: 413 };

async function handle(request: IncomingMessage, streams: Streams, expected: Buffer): Promise<unknown> {
  if (!timingSafeEqual(hash(request.headers.authorization ?? ""), expected)) {
    throw new HranaError(
      "UNAUTHORIZED",
      "Cannot use the registry's database: the secret made at start is needed; it is not there",
    );
  }
  const route = `${request.method} ${request.url?.split("?")[0]}`;
  if (route === "GET /v2" || route === "GET /v3") return {};
  if (route !== "POST /v2/pipeline" && route !== "POST /v3/pipeline") {
    throw new HranaError("NOT_FOUND", `Cannot find "${route}": only the JSON pipelines of Hrana 2 and 3 are served`);
  }
  return streams.pipeline(parsePipeline(await readBody(request)));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES)
      throw new HranaError("TOO_LARGE", `Cannot read the request: it must be at most ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsePipeline(body: string): PipelineRequest {
  let request: unknown;
  try {
    request = JSON.parse(body);
  } catch {
    request = undefined;
  }
  if (typeof request !== "object" || request === null || !("requests" in request) || !Array.isArray(request.requests)) {
    throw new HranaError("HRANA_PROTO_ERROR", "Cannot read the request: it must be a Hrana pipeline in JSON");
  }
  return request as PipelineRequest;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

/** Equal lengths for timingSafeEqual. */
function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
