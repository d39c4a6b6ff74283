/** The host behind HTTP, for Cloud Run, Azure's custom handlers and any container: POST /run takes an order, GET /health tells. */
import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Cancellation } from "../core/cancellation.ts";
import { SwitchyardError } from "../core/errors.ts";
import { HOST_PROTOCOL } from "../model/host-protocol.ts";
import type { Host } from "./core.node.ts";

/** An order holds an input and a module's code, each with its own limit. */
const MOST_BYTES = 20 * 1024 * 1024;

export type DoorOptions = {
  /** What `switchyard-host-secret` must say. undefined: whoever reaches the door is let in, see secretFrom(). */
  secret: string | undefined;
  slots: number;
  runtime: string;
};

/** Throws where neither a secret is set nor said, in so many words, that something before the door asks for one. */
export function secretFrom(env: NodeJS.ProcessEnv): string | undefined {
  const { SWITCHYARD_HOST_SECRET: secret, SWITCHYARD_HOST_OPEN: open } = env;
  if (secret !== undefined && secret !== "") return secret;
  if (open === "behind-iam") return undefined;
  throw new SwitchyardError("usage", "Cannot start the host: SWITCHYARD_HOST_SECRET must be set; it is not", {
    hint: "Where the cloud itself asks callers for credentials, set SWITCHYARD_HOST_OPEN=behind-iam instead.",
  });
}

/** Not listening yet. Closing it waits for the calls that run; a caller that leaves cancels its own. */
export function httpDoor(host: Host, { secret, slots, runtime }: DoorOptions): Server {
  let running = 0;
  return createServer((request, response) => void serve(request, response));

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, text = "", headers = {}) => response.writeHead(status, headers).end(text);
    try {
      // Azure's own process puts /api before every path.
      const path = request.url?.replace(/^\/api\//, "/");
      if (request.method === "GET" && path === "/health") {
        return void answer(200, JSON.stringify({ protocol: HOST_PROTOCOL, runtime, slots }), {
          "content-type": "application/json",
        });
      }
      if (secret !== undefined && !isEqual(request.headers["switchyard-host-secret"], secret)) return void answer(401);
      if (request.method !== "POST" || path !== "/run") return void answer(404);
      if (running >= slots) return void answer(503, "", { "retry-after": "1" });
      running += 1;
      try {
        const order = await textOf(request);
        if (order === undefined) return void answer(413);
        const cancellation = new Cancellation();
        response.once("close", () => {
          // The caller has left before its answer.
          if (!response.writableEnded) cancellation.request();
        });
        answer(200, await host.run(order, { cancellation }));
      } finally {
        running -= 1;
      }
    } catch {
      // The caller has gone away in the middle of its order.
      response.destroy();
    }
  }
}

async function textOf(request: IncomingMessage): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MOST_BYTES) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function isEqual(given: string | string[] | undefined, secret: string): boolean {
  if (typeof given !== "string") return false;
  const [a, b] = [Buffer.from(given), Buffer.from(secret)];
  return a.length === b.length && timingSafeEqual(a, b);
}
