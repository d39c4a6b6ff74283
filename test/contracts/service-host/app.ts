/** For tests: what a service's replica is, on loopback: it tells what it was asked, and is as well as it is told to be. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type Seen = { method: string; url: string; headers: Readonly<Record<string, string | undefined>>; body: string };

export type App = {
  url: string;
  port: number;
  /** Requests but those for its health. */
  readonly seen: Seen[];
  /** What it answers at /health. 0: nothing. */
  health: number;
  /** Connections that were given up before they were answered. */
  givenUp: number;
  close(): void;
};

/** `/status/404` answers that status; `/hang` nothing; `/break` breaks off; all else tells what was asked, as JSON. */
export async function openApp(): Promise<App> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const { method = "GET", url = "/", headers } = request;
      if (url === "/health") {
        if (app.health > 0) response.writeHead(app.health).end();
        return;
      }
      const seen: Seen = { method, url, headers: headers as Seen["headers"], body: Buffer.concat(pieces).toString() };
      app.seen.push(seen);
      if (url === "/hang") return void response.once("close", () => (app.givenUp += 1));
      if (url === "/break") return void response.destroy();
      const status = Number(/^\/status\/(\d{3})/.exec(url)?.[1] ?? 200);
      response.writeHead(status, { "content-type": "application/json", "x-app": "1" });
      response.end(status === 204 ? "" : JSON.stringify({ method, url, body: seen.body }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const app: App = {
    url: `http://127.0.0.1:${port}`,
    port,
    seen: [],
    health: 200,
    givenUp: 0,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return app;
}
