/** A collector of OpenTelemetry's on loopback, as strict as the protocol: what is not OTLP it answers 400 and keeps as a complaint. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { attributesOf, readOtlp, type OtlpSpan } from "../contracts/otlp.ts";

export type Collector = {
  endpoint: string;
  spans: OtlpSpan[];
  /** Whatever came, as text. */
  bodies: string[];
  headers: IncomingHttpHeaders[];
  complaints: string[];
  resources: Record<string, unknown>[];
  /** The spans of a trace, by name, with their attributes. */
  trace(traceId: string): Map<string, OtlpSpan & { seen: Record<string, unknown> }>;
  close(): Promise<void>;
};

export async function startCollector(): Promise<Collector> {
  const spans: OtlpSpan[] = [];
  const bodies: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const complaints: string[] = [];
  const resources: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    request.on("end", () => {
      bodies.push(body);
      headers.push(request.headers);
      try {
        if (request.method !== "POST" || request.url !== "/v1/traces")
          throw new Error(`${request.method} ${request.url}`);
        if (request.headers["content-type"] !== "application/json") throw new Error("not application/json");
        const read = readOtlp(body);
        spans.push(...read.spans);
        resources.push(read.resource);
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      } catch (error) {
        complaints.push(String(error));
        response.writeHead(400).end(String(error));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    bodies,
    headers,
    complaints,
    resources,
    trace: (traceId) =>
      new Map(
        spans
          .filter((span) => span.traceId === traceId)
          .map((span) => [span.name, Object.assign(span, { seen: attributesOf(span.attributes) })]),
      ),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
