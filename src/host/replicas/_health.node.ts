/** Asks a server once whether it is healthy: a GET that it answers 200 to 399, or a connection that it takes. */
import http from "node:http";
import net from "node:net";
import type { ReplicaSpec } from "../../model/services.ts";

export type Target = {
  host: string;
  port: number;
  /** Something stands before it that takes connections for it, and closes them again where it does not listen. */
  behindProxy: boolean;
};

/** How long a connection must stay open to count, where something else takes it. */
const STAYS_MS = 25;

/** Why it is not healthy, as a sentence's end; undefined: it is. Never rejects. */
export function askHealth(
  target: Target,
  { path, timeout_ms: timeoutMs }: Pick<ReplicaSpec["health"], "path" | "timeout_ms">,
): Promise<string | undefined> {
  return path === null ? askPort(target, timeoutMs) : askPath(target, { path, timeoutMs });
}

function askPath({ host, port }: Target, { path, timeoutMs }: { path: string; timeoutMs: number }) {
  return new Promise<string | undefined>((resolve) => {
    const asked = http.get({ host, port, path, agent: false, headers: { "user-agent": "switchyard-health" } });
    const timer = setTimeout(() => {
      resolve(`GET ${path} was not answered within ${timeoutMs} ms`);
      asked.destroy();
    }, timeoutMs);
    asked.on("response", (answer) => {
      const { statusCode = 0 } = answer;
      // What it says beside its status is nobody's business, and may be without an end.
      answer.on("error", () => {});
      answer.destroy();
      clearTimeout(timer);
      resolve(statusCode >= 200 && statusCode < 400 ? undefined : `GET ${path} answers ${statusCode}`);
    });
    asked.on("error", (error) => {
      clearTimeout(timer);
      resolve(saying(error, port));
    });
  });
}

function askPort({ host, port, behindProxy }: Target, timeoutMs: number) {
  return new Promise<string | undefined>((resolve) => {
    const socket = net.connect({ host, port });
    const end = (why: string | undefined) => {
      clearTimeout(timer);
      resolve(why);
      socket.destroy();
    };
    let timer = setTimeout(() => end(`port ${port} did not take a connection within ${timeoutMs} ms`), timeoutMs);
    socket.on("error", (error) => end(saying(error, port)));
    socket.on("close", () => end(`port ${port} closes connections`));
    socket.on("connect", () => {
      if (meetsItself(socket)) return end(`nothing listens on port ${port}`);
      if (!behindProxy) return end(undefined);
      clearTimeout(timer);
      timer = setTimeout(() => end(undefined), STAYS_MS);
      socket.resume();
    });
  });
}

/**
 * The system gives each connection a port of its own, out of the same range as a replica's. Where nobody listens it may give that very
 * one, and TCP joins the connection to itself: one in some twenty thousand tries on Linux, and a start is many.
 */
export function meetsItself({ localPort, localAddress, remotePort, remoteAddress }: net.Socket): boolean {
  return localPort === remotePort && localAddress === remoteAddress;
}

function saying(error: Error & { code?: string }, port: number): string {
  return error.code === "ECONNREFUSED" ? `nothing listens on port ${port}` : `port ${port}: ${error.message}`;
}
