/** Asks a server once whether it is healthy: a GET that it answers 200 to 399, or a connection that it takes. */
import http from "node:http";
import net from "node:net";
import type { ReplicaSpec } from "../../model/services.ts";

export type Target = {
  host: string;
  port: number;
  /** Its port in its container, where something stands before that which takes connections, and closes them again if it does not listen. */
  inside: number | null;
};

/** Why it is not healthy, as a sentence's end; undefined: it is. Never rejects. */
export function askHealth(
  target: Target,
  { path, timeout_ms: timeoutMs }: Pick<ReplicaSpec["health"], "path" | "timeout_ms">,
): Promise<string | undefined> {
  if (path !== null) return askPath(target, { path, timeoutMs });
  return target.inside === null ? askPort(target, timeoutMs) : askProxied(target, timeoutMs);
}

function askPath(target: Target, { path, timeoutMs }: { path: string; timeoutMs: number }) {
  return askHttp(target, { method: "GET", path, timeoutMs, isHealthy: (status) => status >= 200 && status < 400 });
}

/** Only an answer is a sign that somebody listens behind a proxy. This request asks for nothing (RFC 9110, 9.3.7), so any answer will do. */
function askProxied(target: Target, timeoutMs: number) {
  return askHttp(target, { method: "OPTIONS", path: "*", timeoutMs, isHealthy: () => true });
}

type Question = { method: string; path: string; timeoutMs: number; isHealthy: (status: number) => boolean };

function askHttp(target: Target, { method, path, timeoutMs, isHealthy }: Question) {
  return new Promise<string | undefined>((resolve) => {
    const { host, port } = target;
    const headers = { "user-agent": "switchyard-health" };
    const asked = http.request({ host, port, method, path, agent: false, headers }).end();
    const timer = setTimeout(() => {
      resolve(`${method} ${path} was not answered within ${timeoutMs} ms`);
      asked.destroy();
    }, timeoutMs);
    asked.on("response", (answer) => {
      const { statusCode = 0 } = answer;
      // What it says beside its status is nobody's business, and may be without an end.
      answer.on("error", () => {});
      answer.destroy();
      clearTimeout(timer);
      resolve(isHealthy(statusCode) ? undefined : `${method} ${path} answers ${statusCode}`);
    });
    asked.on("error", (error) => {
      clearTimeout(timer);
      resolve(saying(error, target));
    });
  });
}

function askPort({ host, port, inside }: Target, timeoutMs: number) {
  return new Promise<string | undefined>((resolve) => {
    const socket = net.connect({ host, port });
    const end = (why: string | undefined) => {
      clearTimeout(timer);
      resolve(why);
      socket.destroy();
    };
    const timer = setTimeout(() => end(`port ${port} did not take a connection within ${timeoutMs} ms`), timeoutMs);
    socket.on("error", (error) => end(saying(error, { host, port, inside })));
    socket.on("connect", () => end(meetsItself(socket) ? `nothing listens on port ${port}` : undefined));
  });
}

/**
 * The system gives each connection a port of its own, out of the same range as a replica's. Where nobody listens it may give that very
 * one, and TCP joins the connection to itself: one in some twenty thousand tries on Linux, and a start is many.
 */
export function meetsItself({ localPort, localAddress, remotePort, remoteAddress }: net.Socket): boolean {
  return localPort === remotePort && localAddress === remoteAddress;
}

function saying(error: Error & { code?: string }, { port, inside }: Target): string {
  const isClosed = error.code === "ECONNREFUSED" || error.code === "ECONNRESET";
  if (inside !== null && isClosed) {
    return `nothing answers on port ${inside} of its container: its server must listen on PORT at HOST, ${inside} at 0.0.0.0`;
  }
  return error.code === "ECONNREFUSED" ? `nothing listens on port ${port}` : `port ${port}: ${error.message}`;
}
