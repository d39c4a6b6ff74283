/**
 * What a signature costs: an event that is accepted through a webhook (GitHub's scheme, 1 KiB) beside the same operation called
 * with the same body, asynchronously and with an Idempotency-Key. In alternating rounds, one connection.
 */
import { createHmac } from "node:crypto";
import { median, request, runLoad, startPlatform, type Served } from "./_harness.ts";
import type { LoadPlan, LoadResult } from "./load.ts";
import { ms, printMusts, type Measured } from "./musts.ts";

const ROUNDS = 11;
const COUNT = 150;
const SECRET = "a secret of GitHub's length";
const MOST_US = 300;

export async function webhooks(): Promise<void> {
  printMusts(await webhookBench());
}

export async function webhookBench(): Promise<Measured[]> {
  const platform = await startPlatform("process");
  try {
    await install(platform);
    const body = JSON.stringify({ ref: "refs/heads/main", text: "x".repeat(1024 - 34) });
    const signature = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
    const call = (): Promise<LoadResult> =>
      measure(platform, () => ({
        path: "/ops/pushed",
        headers: {
          authorization: `Bearer ${platform.token}`,
          prefer: "respond-async",
          "idempotency-key": crypto.randomUUID(),
        },
        body,
      }));
    const hook = (): Promise<LoadResult> =>
      measure(platform, () => ({
        path: "/hooks/pushed",
        headers: {
          "x-github-event": "push",
          "x-github-delivery": crypto.randomUUID(),
          "x-hub-signature-256": signature,
        },
        body,
      }));
    const rounds: { call: LoadResult; hook: LoadResult }[] = [];
    // The first round warms up and does not count.
    for (let round = -1; round < ROUNDS; round++) {
      const both = { call: await call(), hook: await hook() };
      if (round >= 0) rounds.push(both);
    }
    return (["p50", "p99"] as const).map((part) => row(part, rounds));
  } finally {
    await platform.stop();
  }
}

function row(part: "p50" | "p99", rounds: readonly { call: LoadResult; hook: LoadResult }[]): Measured {
  const more = median(rounds.map(({ call, hook }) => hook[part] - call[part]));
  const of = (name: "call" | "hook"): number => median(rounds.map((round) => round[name][part]));
  return {
    measure: `a signed webhook, 1 KiB, more than the same call without one, ${part}`,
    ours: `${ms(more)} (${ms(of("hook"))})`,
    beside: `POST /ops: ${ms(of("call"))}`,
    must: part === "p50" ? `≤ ${ms(MOST_US)}` : "-",
    holds: part === "p50" ? more <= MOST_US : undefined,
  };
}

function measure({ port }: Served, make: () => LoadPlan["requests"][number]): Promise<LoadResult> {
  const requests = Array.from({ length: COUNT }, make);
  return runLoad({ port, requests, connections: 1, seconds: 30, status: 202, count: COUNT });
}

async function install(platform: Served): Promise<void> {
  const put = async (path: string, body: unknown): Promise<void> => {
    const response = await request(platform, path, body, "PUT");
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  };
  const code = "export const pushed = (input) => input.ref;";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(code));
  const sha256 = Buffer.from(digest).toString("hex");
  await fetch(`http://127.0.0.1:${platform.port}/modules/${sha256}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${platform.token}`, "content-type": "text/javascript" },
    body: code,
  });
  const any = { schema: true };
  await put("/registry/modules/pushed", { sha256, exports: { pushed: { input: any, output: any } } });
  await put("/registry/operations/pushed", { implemented_at: "pushed:pushed" });
  await put("/registry/secrets/github_key", { value: SECRET });
  await put("/registry/webhooks/pushed", { operation: "pushed", scheme: "github", secrets: ["github_key"] });
}
