/** What a rate limit costs: the same call with none, with the operation's, with the token's and with both, in alternating runs. */
import { median, opctl, request, runLoad, startPlatform } from "./_harness.ts";
import type { LoadResult } from "./load.ts";

const ROUNDS = 5;
const SECONDS = 2;
const BODY = JSON.stringify({ input_str: "hi" });
/** Never reached: what is measured is the counting. */
const HIGH = { limit: 1_000_000, window_s: 1 };

export async function rateLimitBench(): Promise<void> {
  const platform = await startPlatform("process");
  try {
    await opctl(platform, "deploy", "examples/echo.ts#echo");
    await request(platform, "/registry/operations/echo/duplicate", { name: "echo_limited", rate_limit: HIGH });
    const made = await request(platform, "/ops/create_token", {
      name: "limited",
      scopes: ["ops:invoke"],
      rate_limit: HIGH,
    });
    const { token } = (await made.json()) as { token: string };
    const subjects = [
      { name: "no limit", path: "/ops/echo", token: platform.token },
      { name: "the operation's", path: "/ops/echo_limited", token: platform.token },
      { name: "the token's", path: "/ops/echo", token },
      { name: "both", path: "/ops/echo_limited", token },
    ];
    for (const connections of [1, 16]) {
      const results = new Map<string, LoadResult[]>();
      for (let round = -1; round < ROUNDS; round++) {
        for (const { name, path, token: bearer } of subjects) {
          const requests = [{ path, headers: { authorization: `Bearer ${bearer}` }, body: BODY }];
          const result = await runLoad({ port: platform.port, requests, connections, seconds: SECONDS });
          // The first round warms up and does not count.
          if (round >= 0) results.set(name, [...(results.get(name) ?? []), result]);
        }
      }
      print(connections, results);
    }
  } finally {
    await platform.stop();
  }
}

function print(connections: number, results: ReadonlyMap<string, readonly LoadResult[]>): void {
  console.log(
    `\nrate limits, ${connections} connection${connections === 1 ? "" : "s"}, medians of ${ROUNDS} alternating runs of ${SECONDS} s`,
  );
  console.log("| limit | calls/s | p50 ms | p99 ms |\n|---|---|---|---|");
  for (const [name, runs] of results) {
    const of = (pick: (result: LoadResult) => number): number => median(runs.map(pick));
    const [p50, p99] = [of((run) => run.p50) / 1000, of((run) => run.p99) / 1000];
    console.log(`| ${name} | ${of((run) => run.perSecond)} | ${p50.toFixed(2)} | ${p99.toFixed(2)} |`);
  }
}
