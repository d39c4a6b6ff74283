/** The supervisor's interface to the edge: a small HTTP server on a unix socket, behind the installation's secret. */
import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { LossAnswer, LossQuestion, PoolState, StallReport } from "./pool-state.ts";
import { SECRET_HEADER } from "./protocol.ts";

export type SupervisorCalls = {
  state(): PoolState;
  lost(question: LossQuestion): Promise<LossAnswer>;
  stalled(report: StallReport): void;
  late(slot: number): void;
  behaved(operation: string): void;
  wake(slot: number): void;
};

export async function serveSupervisor(socketPath: string, secret: string, calls: SupervisorCalls): Promise<Server> {
  rmSync(socketPath, { force: true });
  const server = createServer((request, response) => {
    void answerRequest(request, response, secret, calls).catch((thrown: unknown) => {
      response.writeHead(500).end(String(thrown));
    });
  });
  server.listen(socketPath);
  await once(server, "listening");
  return server;
}

async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  secret: string,
  calls: SupervisorCalls,
): Promise<void> {
  if (!isEqual(request.headers[SECRET_HEADER], secret)) {
    response.writeHead(401).end();
    return;
  }
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk as string;
  const answer = await answerTo(request.url ?? "", JSON.parse(text) as Record<string, unknown>, calls);
  response
    .writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" })
    .end(answer === undefined ? undefined : JSON.stringify(answer));
}

async function answerTo(
  path: string,
  body: Record<string, unknown>,
  calls: SupervisorCalls,
): Promise<PoolState | LossAnswer | undefined> {
  switch (path) {
    case "/state":
      return calls.state();
    case "/lost":
      return calls.lost(body as LossQuestion);
    case "/stalled":
      calls.stalled(body as StallReport);
      return calls.state();
    case "/late":
      calls.late(Number(body["slot"]));
      return calls.state();
    case "/behaved":
      calls.behaved(String(body["operation"]));
      return calls.state();
    case "/wake":
      calls.wake(Number(body["slot"]));
      return calls.state();
    default:
      return undefined;
  }
}

function isEqual(given: string | string[] | undefined, secret: string): boolean {
  if (typeof given !== "string") return false;
  const [a, b] = [Buffer.from(given), Buffer.from(secret)];
  return a.length === b.length && timingSafeEqual(a, b);
}
