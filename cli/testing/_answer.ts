/** What the parts of the platform in memory are given, and how they answer. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ERRORS, type ErrorCode } from "../../src/core/errors.ts";

export type Seen = { method: string; path: string; body: string; headers: IncomingMessage["headers"] };
export type Target = { parts: string[]; url: URL; response: ServerResponse };

export function send(response: ServerResponse, status: number, body: unknown, etag?: string): void {
  response.writeHead(status, { "content-type": "application/json", ...(etag === undefined ? {} : { etag }) });
  response.end(JSON.stringify(body));
}

export function problem(response: ServerResponse, code: ErrorCode, detail: string): void {
  const { status, title } = ERRORS[code];
  response.writeHead(status, { "content-type": "application/problem+json" });
  response.end(JSON.stringify({ type: `x:${code}`, title, status, code, detail }));
}
