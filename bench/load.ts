/**
 * A load generator of one process: keep-alive HTTP/1.1 over plain sockets, one request in flight a connection, so that
 * what is measured is the server. Bounded in time; stops by itself. An answer counts when it has the expected status.
 *
 *     echo '{"port":8787,"requests":[{"path":"/bare","headers":{},"body":"{}"}],"connections":16,"seconds":2}' | node bench/load.ts
 *
 * prints one LoadResult as JSON. With several requests each connection goes round them, from a place of its own.
 */
import net from "node:net";

export type LoadPlan = {
  port: number;
  requests: { path: string; headers: Record<string, string>; body: string; method?: "GET" | "POST" }[];
  connections: number;
  seconds: number;
  /** What counts as success; 200 unless told. */
  status?: number;
  /** Ends after so many requests, if the time has not ended it before. */
  count?: number;
};

/** Latencies in microseconds. */
export type LoadResult = { count: number; perSecond: number; p50: number; p99: number; failed: number; sample: string };

const MAX_SECONDS = 60;

function requestBytes({ path, headers, body, method = "POST" }: LoadPlan["requests"][number]): Buffer {
  const lines = Object.entries({ host: "127.0.0.1", "content-type": "application/json", ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\n${lines.join("")}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** The length of the first whole response in `buffer`, or undefined while it is incomplete. */
function responseLength(buffer: Buffer): number | undefined {
  const headEnd = buffer.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = buffer.toString("latin1", 0, headEnd).toLowerCase();
  const declared = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
  if (declared === undefined) {
    const end = buffer.indexOf("0\r\n\r\n", headEnd + 4);
    return end < 0 ? undefined : end + 5;
  }
  const length = headEnd + 4 + Number(declared);
  return buffer.length < length ? undefined : length;
}

export async function load(plan: LoadPlan): Promise<LoadResult> {
  const requests = plan.requests.map(requestBytes);
  const expected = String(plan.status ?? 200);
  const most = plan.count ?? Number.POSITIVE_INFINITY;
  const latencies: number[] = [];
  let sent = 0;
  let failed = 0;
  let sample = "";
  const startedAt = process.hrtime.bigint();
  const endAt = startedAt + BigInt(Math.min(plan.seconds, MAX_SECONDS) * 1e9);
  await Promise.all(
    Array.from({ length: plan.connections }, (_, index) => {
      return new Promise<void>((resolve, reject) => {
        const socket = net.connect(plan.port, "127.0.0.1");
        socket.setNoDelay(true);
        let next = Math.floor((index * requests.length) / plan.connections);
        let sentAt = 0n;
        let received: Buffer = Buffer.alloc(0);
        const send = (): void => {
          sent++;
          sentAt = process.hrtime.bigint();
          socket.write(requests[next++ % requests.length]!);
        };
        socket.on("connect", send);
        socket.on("error", reject);
        socket.on("data", (chunk) => {
          received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
          const length = responseLength(received);
          if (length === undefined) return;
          const now = process.hrtime.bigint();
          latencies.push(Number(now - sentAt) / 1_000);
          if (received.toString("latin1", 9, 12) !== expected) {
            failed++;
            sample = received.toString("utf8", 0, Math.min(length, 2_000));
          } else if (sample === "") sample = received.toString("utf8", received.indexOf("\r\n\r\n") + 4, length);
          received = received.subarray(length);
          if (now >= endAt || sent >= most) {
            socket.destroy();
            resolve();
          } else send();
        });
      });
    }),
  );
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0);
  return {
    count: latencies.length,
    perSecond: Math.round(latencies.length / seconds),
    p50: at(0.5),
    p99: at(0.99),
    failed,
    sample,
  };
}

if (import.meta.main) {
  const { text } = await import("node:stream/consumers");
  console.log(JSON.stringify(await load(JSON.parse(await text(process.stdin)) as LoadPlan)));
}
