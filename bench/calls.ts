/**
 * A warm inline call against the bare route: same body, same runtime, same kind of socket, in alternating runs. The
 * platform authenticates, checks input and output, and records.
 */
import { median, opctl, runLoad, startBare, startPlatform, type Served } from "./_harness.ts";
import type { LoadResult } from "./load.ts";

const ROUNDS = 7;
const SECONDS = 2;
const BODY = JSON.stringify({ input_str: "hi" });

type Subject = { name: "bare" | "inline" | "process"; served: Served; path: string };

export async function calls(): Promise<void> {
  const [bare, inline, process_] = [await startBare(), await startPlatform("inline"), await startPlatform("process")];
  const subjects: Subject[] = [
    { name: "bare", served: bare, path: "/bare" },
    { name: "inline", served: inline, path: "/ops/echo" },
    { name: "process", served: process_, path: "/ops/echo" },
  ];
  try {
    for (const served of [inline, process_]) await opctl(served, "deploy", "examples/echo.ts#echo");
    for (const connections of [16, 1]) {
      const results = new Map<string, LoadResult[]>();
      for (let round = -1; round < ROUNDS; round++) {
        for (const { name, served, path } of subjects) {
          const headers = { authorization: `Bearer ${served.token || process_.token}` };
          const result = await runLoad({
            port: served.port,
            requests: [{ path, headers, body: BODY }],
            connections,
            seconds: SECONDS,
          });
          if (result.sample !== '{"output_str":"hi"}') throw new Error(`${name} answered ${result.sample}`);
          // The first round warms up and does not count.
          if (round >= 0) results.set(name, [...(results.get(name) ?? []), result]);
        }
      }
      print(connections, results);
    }
  } finally {
    for (const { served } of subjects) await served.stop();
  }
}

function print(connections: number, results: ReadonlyMap<string, readonly LoadResult[]>): void {
  const of = (name: string, pick: (result: LoadResult) => number): number =>
    median((results.get(name) ?? []).map(pick));
  console.log(
    `\nwarm call, ${connections} connection${connections === 1 ? "" : "s"}, medians of ${ROUNDS} alternating runs of ${SECONDS} s`,
  );
  console.log("| | calls/s | ÷ bare | p50 ms | p50 − bare | p99 ms |\n|---|---|---|---|---|---|");
  for (const name of results.keys()) {
    const perSecond = of(name, (result) => result.perSecond);
    const p50 = of(name, (result) => result.p50) / 1000;
    const bareP50 = of("bare", (result) => result.p50) / 1000;
    const ratios = (results.get(name) ?? []).map(
      (result, round) => result.perSecond / (results.get("bare")?.[round]?.perSecond ?? Number.NaN),
    );
    console.log(
      `| ${name} | ${perSecond} | ${median(ratios).toFixed(2)} | ${p50.toFixed(2)} | ${(p50 - bareP50).toFixed(2)} | ${(of(name, (result) => result.p99) / 1000).toFixed(2)} |`,
    );
  }
}
