/**
 * A service that misbehaves as it is told: by its environment variables how it starts and ends, by requests what it does meanwhile.
 * Notes what it does in the file LOG, a line each: `begin PID`, `start PID VERSION` once it listens, `end PID`.
 */
import { appendFileSync } from "node:fs";
import http from "node:http";

const { HOST = "127.0.0.1", PORT = "0", LOG, VERSION = "1", MODE = "" } = process.env;
const START_MS = Number(process.env["START_MS"] ?? 0);
let healthy = MODE !== "never_healthy";

function note(line: string): void {
  if (LOG !== undefined) appendFileSync(LOG, `${line}\n`);
}

note(`begin ${process.pid}`);
if (MODE === "dies_starting") {
  console.error("cannot read /etc/albums.conf");
  process.exit(3);
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  const answer = (status: number, body: unknown): void => {
    const text = JSON.stringify(body);
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
  };
  switch (url.pathname) {
    case "/health":
      return answer(healthy ? 200 : 503, { healthy });
    case "/die":
      return process.exit(1);
    case "/sicken":
      healthy = false;
      return answer(200, { pid: process.pid });
    case "/slow": {
      const ms = Number(url.searchParams.get("ms") ?? 100);
      return void setTimeout(() => answer(200, { pid: process.pid, version: VERSION }), ms);
    }
    default:
      return answer(200, { pid: process.pid, version: VERSION });
  }
});

setTimeout(() => {
  server.listen(Number(PORT), HOST, () => note(`start ${process.pid} ${VERSION}`));
}, START_MS);

process.on("SIGTERM", () => {
  if (MODE === "ignores_sigterm") return;
  note(`end ${process.pid}`);
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
