/** A server as services have it, whose behaviour its arguments say; and replicas of it for tests. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ReplicaWork } from "../../model/host-protocol.ts";
import { HEALTH_DEFAULTS, type ReplicaSpec } from "../../model/services.ts";
import { openJournal } from "../work/journal.node.ts";
import { startOf } from "../work/proc.node.ts";
import { Replicas, type ReplicasOptions } from "./replicas.node.ts";

const SERVER = `
import http from "node:http";
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
const has = (word) => process.argv.includes(word);
const said = (word) => process.argv[process.argv.indexOf(word) + 1];
console.log("hello of " + process.env.SWITCHYARD_REPLICA);
console.error("secret " + process.env.KEY);
if (has("--dies")) { console.log("cannot go on"); process.exit(Number(said("--dies"))); }
if (has("--deaf")) process.on("SIGTERM", () => console.log("not yet"));
if (has("--child")) {
  const child = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], { stdio: "inherit" });
  console.log("child " + child.pid);
}
if (has("--taken") && !existsSync(said("--taken"))) {
  writeFileSync(said("--taken"), process.env.PORT);
  console.error("Error: listen EADDRINUSE: address already in use 127.0.0.1:" + process.env.PORT);
  process.exit(1);
}
let healthy = !has("--sick");
const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const url = new URL(request.url, "http://x");
  if (url.pathname === "/health") return response.writeHead(healthy ? 204 : 503).end();
  if (url.pathname === "/sick") healthy = false;
  if (url.pathname === "/well") healthy = true;
  if (url.pathname === "/busy") for (const end = Date.now() + 350; Date.now() < end; ) healthy = true;
  if (url.pathname === "/exit") process.exit(3);
  if (url.pathname === "/cut") return request.socket.destroy();
  if (url.pathname === "/upgrade") return request.socket.write("HTTP/1.1 101 Switching Protocols\\r\\nconnection: upgrade\\r\\nupgrade: websocket\\r\\n\\r\\n");
  if (url.pathname === "/hang") return;
  if (url.pathname === "/bytes") return response.end(Buffer.from([0xff, 0xfe]));
  if (url.pathname === "/large") return response.end("x".repeat(9 * 1024 * 1024));
  if (url.pathname === "/env") return response.end(JSON.stringify({ ...process.env, cwd: process.cwd() }));
  response.setHeader("x-pid", String(process.pid));
  response.writeHead(Number(url.searchParams.get("status") ?? 200)).end(request.method + " " + request.url + " " + body);
});
if (!has("--silent")) server.listen(Number(process.env.PORT), process.env.HOST);
else setInterval(() => {}, 1000);
`;

const folder = mkdtempSync(path.join(tmpdir(), "switchyard-server-"));
const file = path.join(folder, "server.mjs");
writeFileSync(file, SERVER);
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

export type Order = ReplicaWork & { do: "start" };

export function anOrder(replica: string, words: readonly string[] = [], more: Partial<ReplicaSpec> = {}): Order {
  return {
    do: "start",
    service: "shop",
    replica,
    revision: "r1",
    spec: {
      run: { process: { command: [process.execPath, file, ...words], working_directory: null } },
      variables: { KEY: "sesame-open", MODE: "test" },
      secrets: ["KEY"],
      port: null,
      health: { ...HEALTH_DEFAULTS, path: "/health", interval_ms: 100, start_ms: 10_000 },
      requires: {},
      stop_ms: 2_000,
      ...more,
    },
  };
}

export function someReplicas({ stateFolder, ...more }: Partial<ReplicasOptions> & { stateFolder?: string } = {}): {
  replicas: Replicas;
  lines: string[];
  changed: () => Promise<void>;
} {
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const journal = stateFolder === undefined ? undefined : openJournal(stateFolder, log);
  const replicas = new Replicas({ place: "desk", log, journal, ...more });
  let next = Promise.withResolvers<void>();
  replicas.onChange(() => {
    next.resolve();
    next = Promise.withResolvers();
  });
  return { replicas, lines, changed: () => next.promise };
}

/** What has ended and nobody has waited for does not. */
export function lives(pid: number): boolean {
  return startOf(pid) !== undefined;
}

/** A file that is no program. */
export const NO_PROGRAM = path.join(folder, "notes.txt");
writeFileSync(NO_PROGRAM, "hello", { mode: 0o600 });
