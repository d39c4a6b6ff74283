/** What adapters use of the platform, for tests: fetch reaches loopback, jobs and artifacts are in memory. */
import { request as open } from "node:http";
import net from "node:net";
import { Duplex, Readable } from "node:stream";
import type { AdapterPorts, TcpConnection } from "../../../src/adapters/adapter.ts";
import { FakeJobs } from "../fake-jobs.ts";

export type FakePorts = AdapterPorts & { kept: Map<string, string> };

export function fakePorts(changes: Partial<AdapterPorts> = {}): FakePorts {
  const kept = new Map<string, string>();
  return {
    kept,
    isolates: {
      isolateId: () => "isolate-1",
      loadIsolate: async () => ({
        code: "export const handler = (input) => input",
        language: "javascript",
        export: "handler",
        network: [],
        secrets: {},
      }),
    },
    fetchOn: () => loopbackFetch,
    connectOn: () => connectTcp,
    platformUrl: undefined,
    jobs: new FakeJobs(),
    artifacts: {
      async put(_execution, text) {
        const id = `ar_${kept.size + 1}`;
        kept.set(id, text);
        return id;
      },
      text: async (id) => kept.get(id) ?? "",
    },
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    ...changes,
  };
}

/**
 * fetch on loopback, redirects as answers. Not Node's own: that holds its signal so weakly that once memory has been
 * collected an abort no longer reaches the connection, which is what tests of time-outs look at.
 */
async function loopbackFetch(request: Request): Promise<Response> {
  const body = Buffer.from(await request.arrayBuffer());
  const { method, signal } = request;
  return new Promise((resolve, reject) => {
    const headers = { ...Object.fromEntries(request.headers), "content-length": String(body.byteLength) };
    const sent = open(request.url, { method, headers, agent: false }, (answer) => {
      const { statusCode: status = 0 } = answer;
      const given = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]);
      const empty = status === 204 || status === 304;
      resolve(
        new Response(empty ? null : (webStream(Readable.toWeb(answer)) as ReadableStream), { status, headers: given }),
      );
    });
    sent.on("error", (cause) => reject(signal.aborted ? cause : new TypeError("fetch failed", { cause })));
    signal.addEventListener("abort", () => sent.destroy(new Error("aborted")));
    sent.end(body);
  });
}

/** A TCP connection as workerd gives one. */
export function connectTcp({ hostname, port }: { hostname: string; port: number }): TcpConnection {
  const socket = net.connect({ host: hostname, port });
  const { readable, writable } = Duplex.toWeb(socket);
  const opened = new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  opened.catch(() => undefined);
  return {
    readable: webStream(readable) as ReadableStream<Uint8Array>,
    writable: webStream(writable) as WritableStream<Uint8Array>,
    opened,
    async close() {
      socket.destroy();
    },
  };
}

/** Node's streams and the web's are the same at run time and two types. */
function webStream(stream: unknown): unknown {
  return stream;
}
