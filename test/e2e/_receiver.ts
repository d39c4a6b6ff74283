/** A receiver of events, on this machine: keeps what comes, answers what the test says, may go away and come back. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import { freePort, temporaryFolder } from "./_platform.ts";

export type Certificate = { file: string; key: string; cert: string };

/** One that signs itself; undefined: this machine has no openssl. */
export function certificateFor(host: string): Certificate | undefined {
  const folder = temporaryFolder();
  const [keyFile, file] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
  const subject = /^[0-9.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`;
  const made = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=receiver -addext subjectAltName=${subject}`;
  const { status } = spawnSync("openssl", [...made.split(" "), "-keyout", keyFile, "-out", file]);
  return status === 0 ? { file, key: readFileSync(keyFile, "utf8"), cert: readFileSync(file, "utf8") } : undefined;
}

export type Came = { path: string; headers: Record<string, string>; body: string; at: number };
type Answer = { status: number; headers?: Record<string, string>; body?: string };

export class Receiver {
  readonly came: Came[] = [];
  readonly port: number;
  /** What the next requests are answered, in order; afterwards `usual`. null: never. */
  readonly answers: (Answer | null)[] = [];
  usual: Answer | null = { status: 204 };
  readonly #certificate: Certificate | undefined;
  #server: http.Server | https.Server | undefined;

  private constructor(port: number, certificate: Certificate | undefined) {
    this.port = port;
    this.#certificate = certificate;
  }

  static async start(certificate?: Certificate): Promise<Receiver> {
    const receiver = new Receiver(await freePort(), certificate);
    await receiver.open();
    return receiver;
  }

  get url(): string {
    return `${this.#certificate === undefined ? "http" : "https"}://127.0.0.1:${this.port}`;
  }

  async open(): Promise<void> {
    const take: http.RequestListener = (request, response) => void this.#take(request, response);
    const server =
      this.#certificate === undefined ? http.createServer(take) : https.createServer(this.#certificate, take);
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  async #take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk as string;
    const answer = this.answers.length > 0 ? this.answers.shift() : this.usual;
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    this.came.push({ path: request.url ?? "", headers, body, at: Date.now() });
    if (answer === null || answer === undefined) return;
    response.writeHead(answer.status, answer.headers).end(answer.body ?? "");
  }
}

/** Counts connections, of whatever sort: what must not be reached. */
export async function trap(host: string): Promise<{ port: number; connections: () => number; close(): Promise<void> }> {
  let connections = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    socket.on("error", () => undefined).destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    connections: () => connections,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
