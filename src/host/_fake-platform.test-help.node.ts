/** For tests: the routes of the platform that a host uses, on loopback, with what it keeps and was asked in the open. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { HOST_PROTOCOL } from "../model/host-protocol.ts";

export class FakePlatform {
  readonly artifacts = new Map<string, { body: Buffer; type: string }>();
  readonly reports: string[] = [];
  /** What GET /jobs/j answers. */
  order = "";
  /** Statuses that requests to /jobs/j are answered with before they succeed. */
  refusals: number[] = [];
  /** Paths of operations that handlers called. */
  readonly called: string[] = [];
  readonly bearers = new Set<string>();
  url = "";
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));

  async start(): Promise<this> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    } catch {
      return;
    }
    const body = Buffer.concat(pieces);
    this.bearers.add(request.headers.authorization ?? "");
    const { pathname, searchParams } = new URL(request.url ?? "", this.url);
    const artifact = this.artifacts.get(pathname.replace("/artifacts/", ""));
    const json = (value: unknown, status = 200) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (pathname === "/jobs/j") {
      const refusal = this.refusals.shift();
      if (refusal !== undefined) json({ code: "internal", detail: "not now" }, refusal);
      else if (request.method === "GET") response.end(this.order);
      else {
        this.reports.push(body.toString());
        json({ taken: true });
      }
    } else if (request.method === "POST" && pathname === "/executions/ex_1/artifacts") {
      const id = `ar_${this.artifacts.size + 1}`;
      this.artifacts.set(id, { body, type: searchParams.get("content_type") ?? "" });
      json({ artifact_id: id, sha256: "", size_bytes: body.length });
    } else if (pathname.startsWith("/ops/")) {
      this.called.push(pathname);
      response.end(`{"called":${JSON.stringify(pathname)},"with":${body.toString()}}`);
    } else if (artifact !== undefined) {
      response
        .writeHead(200, { "content-type": artifact.type, "content-length": artifact.body.length })
        .end(artifact.body);
    } else json({ code: "entity_not_found", detail: "Cannot find the artifact" }, 404);
  }
}

export type OrderOptions = {
  /** The body of `handler(input, ctx)`. */
  code: string;
  input?: string;
  platformUrl?: string | null;
  timeoutMs?: number;
  more?: Record<string, unknown>;
};

let count = 0;

/** An order for a module of its own, with the definition. */
export function moduleOrder({ code, input = '{"n":1}', platformUrl = null, timeoutMs = 8_000, more }: OrderOptions) {
  const source = `export async function handler(input, ctx) { ${code} }`;
  const head = {
    protocol: HOST_PROTOCOL,
    isolate: `i${++count}`,
    work: { kind: "module", language: "javascript" },
    meta: {
      execution_id: "ex_1",
      attempt: 1,
      operation: "tested",
      revision: 1,
      caller: { type: "token", id: "t" },
      traceparent: "",
      timeout_ms: timeoutMs,
      capability: "cap",
    },
    platform_url: platformUrl,
    definition: { code: source, language: "javascript", export: "handler", network: [], secrets: {} },
    ...more,
  };
  return `${JSON.stringify(head)}\n${input}`;
}
