/**
 * The peer: Restate's server with a service like ours behind it, from bench/peers and only for measuring. On 127.0.0.1,
 * four partitions, telemetry off, a data folder of its own; all else, fsync included, as it comes.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { end, freePort, printed } from "../_harness.ts";

const PEERS = path.resolve(import.meta.dirname, "../peers");
const SERVER = path.join(PEERS, `node_modules/@restatedev/restate-server-${os.platform()}-${os.arch()}`);
const BINARY = path.join(SERVER, "bin/restate-server");
const READY_WITHIN_MS = 60_000;
const DRAINED_WITHIN_MS = 180_000;

export const PARTITIONS = 4;
export const HOW_TO_INSTALL = "npm ci --prefix bench/peers";

export type Restate = {
  /** Where its HTTP ingress listens. */
  port: number;
  version: string;
  /** Its own words about fsync. */
  fsync: string;
  /** Waits until no invocation is unfinished. Answers how many milliseconds that took. */
  drained(): Promise<number>;
  stop(): Promise<void>;
};

export function restateInstalled(): boolean {
  return existsSync(BINARY) && existsSync(path.join(PEERS, "node_modules/@restatedev/restate-sdk"));
}

export async function startRestate(): Promise<Restate> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sy-bench-restate-"));
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.splice(0).toReversed()) await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [node, admin, port] = [await freePort(), await freePort(), await freePort()];
    const config = path.join(folder, "restate.toml");
    writeFileSync(config, configuration({ node, admin, port, data: path.join(folder, "data") }));

    const service = spawn(process.execPath, [path.join(PEERS, "restate-service.js")], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_ENV: "production", RESTATE_LOGGING: "ERROR" },
    });
    children.push(service);
    const servicePort = /listening on (\d+)/.exec(await printed(service, "\n"))?.[1];
    if (servicePort === undefined) throw new Error("The peer's service did not say where it listens");
    const server = spawn(BINARY, ["--config-file", config, "--no-logo"], { stdio: ["ignore", "pipe", "pipe"] });
    children.push(server);
    let said = "";
    for (const stream of [server.stdout, server.stderr])
      stream.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-10_000)));

    await untilOk(
      "Restate registers its service",
      () => said,
      () =>
        fetch(`http://127.0.0.1:${admin}/deployments`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ uri: `http://127.0.0.1:${servicePort}` }),
        }),
    );
    await untilOk(
      "Restate answers its first call",
      () => said,
      () =>
        fetch(`http://127.0.0.1:${port}/Echo/echo`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: '{"input_str":"hi"}',
        }),
    );
    return { port, version: versionOf(SERVER), fsync: await fsyncOf(config), drained: () => drained(admin), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(at: { node: number; admin: number; port: number; data: string }): string {
  return `
default-num-partitions = ${PARTITIONS}
disable-telemetry = true
log-filter = "warn"
log-disable-ansi-codes = true
listen-mode = "tcp"
bind-ip = "127.0.0.1"
bind-port = ${at.node}
advertised-host = "127.0.0.1"
base-dir = ${JSON.stringify(at.data)}
[admin]
bind-ip = "127.0.0.1"
bind-port = ${at.admin}
disable-web-ui = true
[ingress]
bind-ip = "127.0.0.1"
bind-port = ${at.port}
`;
}

/** What the server itself prints of the configuration that it runs with. The log server is what makes a call durable. */
async function fsyncOf(config: string): Promise<string> {
  const { stdout } = await promisify(execFile)(BINARY, ["--config-file", config, "--dump-config"]);
  const section = /\n\[log-server\]\n([^[]*)/.exec(stdout)?.[1] ?? "";
  const setting = /^rocksdb-disable-wal-fsync = .*$/m.exec(section)?.[0];
  if (setting === undefined) throw new Error("Restate's configuration no longer names its fsync setting");
  return `[log-server] ${setting}`;
}

async function drained(admin: number): Promise<number> {
  const startedAt = Date.now();
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${admin}/query`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ query: "SELECT count(*) AS open FROM sys_invocation WHERE status <> 'completed'" }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Restate cannot be asked what is unfinished: ${text}`);
    const { rows } = JSON.parse(text) as { rows: { open: number }[] };
    if (rows[0]?.open === 0) return Date.now() - startedAt;
    if (Date.now() > startedAt + DRAINED_WITHIN_MS) throw new Error(`Restate has not finished: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function untilOk(what: string, said: () => string, ask: () => Promise<Response>): Promise<void> {
  const endAt = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const answer = await ask().then(
      async (response) => (response.ok ? undefined : `${response.status} ${await response.text()}`),
      (error: unknown) => String(error),
    );
    if (answer === undefined) return;
    if (Date.now() > endAt) throw new Error(`${what}: not within ${READY_WITHIN_MS} ms: ${answer}\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function versionOf(folder: string): string {
  return (JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as { version: string }).version;
}
