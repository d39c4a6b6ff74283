/**
 * What the end of executions costs and how fast it is told: 10,000 ends with one subscription whose receiver is on this
 * machine, beside the same 10,000 with none; and a call that nobody subscribes to beside one on a platform with no
 * subscription at all.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { median, processorSeconds, request, runLoad, type Served } from "./_harness.ts";
import { accept, BODY, complete, drained, OPERATION, startDurable } from "./durable/platform.ts";

const ENDS = 10_000;
const CONNECTIONS = 50;
const ROUNDS = 7;
const SECONDS = 2;
const TOLD_WITHIN_MS = 300_000;

export async function subscriptionBench(): Promise<void> {
  await measureEnds();
  await measureBystanders();
}

type Receiver = { port: number; messages: ReadonlySet<string>; requests: () => number; close(): void };

async function receive(): Promise<Receiver> {
  const messages = new Set<string>();
  let requests = 0;
  const server = http.createServer((incoming, response) => {
    requests += 1;
    messages.add(String(incoming.headers["webhook-id"]));
    incoming.resume().on("end", () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    requests: () => requests,
    close: () => void server.close(),
  };
}

async function subscribe(served: Served, name: string, row: Record<string, unknown>): Promise<void> {
  const response = await request(served, `/registry/subscriptions/${name}`, { network: "private", ...row }, "PUT");
  if (!response.ok) throw new Error(await response.text());
}

async function measureEnds(): Promise<void> {
  const served = await startDurable("process");
  const receiver = await receive();
  try {
    const alone = await submitAll(served);
    const secret = { value: `whsec_${Buffer.from("a secret of at least 24 bytes").toString("base64")}` };
    await request(served, "/registry/secrets/signing", secret, "PUT");
    const url = `http://127.0.0.1:${receiver.port}/`;
    await subscribe(served, "told", { operations: [OPERATION], url, secrets: ["signing"] });
    const startedAt = performance.now();
    const before = processorSeconds(served);
    const subscribed = await submitAll(served);
    while (receiver.messages.size < subscribed.count) {
      if (performance.now() - startedAt > TOLD_WITHIN_MS) throw new Error(`only ${receiver.messages.size} came`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const toldMs = performance.now() - startedAt;
    const processorS = processorSeconds(served) - before;
    console.log(`\n${subscribed.count} ends, signed and delivered to a receiver on this machine`);
    console.log("| | s | a second | processor ms each |\n|---|---|---|---|");
    for (const [what, { count, ms, processorS: seconds }] of [
      ["accepted and ended, no subscription", alone],
      ["accepted and ended, with one", subscribed],
      ["… and delivered", { count: subscribed.count, ms: toldMs, processorS }],
    ] as const)
      console.log(
        `| ${what} | ${(ms / 1_000).toFixed(1)} | ${Math.round(count / (ms / 1_000))} | ${((1_000 * seconds) / count).toFixed(2)} |`,
      );
    console.log(`repeated to the receiver: ${receiver.requests() - subscribed.count}`);
  } finally {
    receiver.close();
    await served.stop();
  }
}

type Submitted = { count: number; ms: number; processorS: number };

/** How many were accepted, and the milliseconds until all of them had ended. */
async function submitAll(served: Served): Promise<Submitted> {
  const startedAt = performance.now();
  const before = processorSeconds(served);
  const { count } = await accept(served, { connections: CONNECTIONS, seconds: 60, count: ENDS });
  await drained(served);
  return { count, ms: performance.now() - startedAt, processorS: processorSeconds(served) - before };
}

/** A synchronous and an asynchronous call, on a platform without subscriptions and on one with a hundred to others. */
async function measureBystanders(): Promise<void> {
  const [none, others] = [await startDurable("process"), await startDurable("process")];
  try {
    for (let n = 0; n < 100; n++)
      await subscribe(others, `other-${n}`, { operations: ["chain"], url: "http://127.0.0.1:9/", unsigned: true });
    const subjects = [
      { name: "no subscription", served: none },
      { name: "100 to other operations", served: others },
    ];
    for (const kind of ["synchronous", "asynchronous, answered"] as const) {
      const found = new Map<string, { perSecond: number; p50: number; p99: number; processorMs: number }[]>();
      for (let round = -1; round < ROUNDS; round++) {
        for (const { name, served } of subjects) {
          const plan = { connections: 16, seconds: SECONDS };
          const headers = { authorization: `Bearer ${served.token}` };
          const requests = [{ path: "/ops/echo", headers, body: BODY }];
          const before = processorSeconds(served);
          const result =
            kind === "synchronous"
              ? await runLoad({ ...plan, port: served.port, requests })
              : await complete(served, plan);
          const processorMs = (1_000 * (processorSeconds(served) - before)) / result.count;
          if (round >= 0) found.set(name, [...(found.get(name) ?? []), { ...result, processorMs }]);
        }
      }
      console.log(`\n${kind}, 16 connections, medians of ${ROUNDS} alternating runs of ${SECONDS} s`);
      console.log("| | calls/s | p50 ms | p99 ms | processor ms a call |\n|---|---|---|---|---|");
      for (const [name, results] of found) {
        const of = (pick: (result: (typeof results)[number]) => number) => median(results.map(pick));
        console.log(
          `| ${name} | ${of(({ perSecond }) => perSecond)} | ${(of(({ p50 }) => p50) / 1000).toFixed(2)} | ${(of(({ p99 }) => p99) / 1000).toFixed(2)} | ${of(({ processorMs }) => processorMs).toFixed(2)} |`,
        );
      }
    }
  } finally {
    await none.stop();
    await others.stop();
  }
}
