/**
 * What counting and tracing cost a warm call: the same platform with both off, with metrics on, and with every call traced
 * to a collector on this machine that takes and throws away. In alternating runs.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { median, opctl, processorSeconds, request, runLoad, startPlatform, type Served } from "./_harness.ts";
import type { LoadResult } from "./load.ts";

const ROUNDS = 9;
const SECONDS = 2;
const BODY = JSON.stringify({ input_str: "hi" });

type Subject = { name: string; served: Served };
/** `processorUs`: of all the platform's processes, a call. */
type Run = LoadResult & { processorUs: number };

export async function telemetryBench(): Promise<void> {
  let spans = 0;
  const collector = createServer((asked, answer) => {
    let body = "";
    asked.on("data", (piece: Buffer) => (body += piece.toString()));
    asked.on("end", () => {
      spans += body.split('"spanId"').length - 1;
      answer.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const subjects: Subject[] = [];
  try {
    const start = async (name: string, more: readonly string[]): Promise<void> => {
      const served = await startPlatform("process", undefined, more);
      subjects.push({ name, served });
      await opctl(served, "deploy", "examples/echo.ts#echo");
    };
    await start("off", ["--no-metrics"]);
    await start("metrics", []);
    await start("metrics and traces of every call", ["--otlp-endpoint", endpoint]);
    for (const connections of [16, 1]) print(connections, await alternate(subjects, connections));
    const traced = subjects.at(-1);
    if (traced !== undefined) await tell(traced.served, spans);
  } finally {
    for (const { served } of subjects) await served.stop();
    collector.close();
  }
}

async function alternate(subjects: readonly Subject[], connections: number): Promise<Map<string, Run[]>> {
  const results = new Map<string, Run[]>();
  for (let round = -1; round < ROUNDS; round++) {
    // Each is first as often as last: whoever comes after the others finds a warmer machine, or a tired one.
    const turn = subjects.map((_, place) => subjects[(place + round + 1) % subjects.length]);
    for (const subject of turn) {
      if (subject === undefined) continue;
      const { name, served } = subject;
      const headers = { authorization: `Bearer ${served.token}` };
      const requests = [{ path: "/ops/echo", headers, body: BODY }];
      const before = processorSeconds(served);
      const result = await runLoad({ port: served.port, requests, connections, seconds: SECONDS });
      const processorUs = ((processorSeconds(served) - before) / result.count) * 1e6;
      if (round >= 0) results.set(name, [...(results.get(name) ?? []), { ...result, processorUs }]);
    }
  }
  return results;
}

function print(connections: number, results: ReadonlyMap<string, readonly Run[]>): void {
  console.log(
    `\ntelemetry of a warm call, ${connections} connection${connections === 1 ? "" : "s"}, medians of ${ROUNDS} alternating runs of ${SECONDS} s`,
  );
  console.log("| | calls/s | ÷ off | p50 ms | p99 ms | processor µs a call | − off |\n|---|---|---|---|---|---|---|");
  const off = results.get("off") ?? [];
  for (const [name, runs] of results) {
    const of = (pick: (result: Run) => number): number => median(runs.map(pick));
    const ratio = median(runs.map(({ perSecond }, round) => perSecond / (off[round]?.perSecond ?? Number.NaN)));
    const ms = (pick: (result: Run) => number): string => (of(pick) / 1_000).toFixed(2);
    const more = median(runs.map(({ processorUs }, round) => processorUs - (off[round]?.processorUs ?? Number.NaN)));
    const processor = `${Math.round(of(({ processorUs }) => processorUs))} | ${Math.round(more)}`;
    console.log(
      `| ${name} | ${of(({ perSecond }) => perSecond)} | ${ratio.toFixed(2)} | ${ms(({ p50 }) => p50)} | ${ms(({ p99 }) => p99)} | ${processor} |`,
    );
  }
}

async function tell(served: Served, received: number): Promise<void> {
  const text = await (await request(served, "/metrics", undefined, "GET")).text();
  const dropped = [...text.matchAll(/^switchyard_spans_dropped_total\{reason="(\w+)"\} (\d+)$/gm)].map(
    ([, reason, count]) => `${count} ${reason}`,
  );
  console.log(`spans the collector got: ${received}; dropped: ${dropped.join(", ") || "none"}`);
}
