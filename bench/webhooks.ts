/**
 * What a signature costs: an event that is accepted through a webhook (GitHub's scheme, 1 KiB) beside the same operation called
 * with the same body, asynchronously and with an Idempotency-Key. Request by request in turn on one connection, so that
 * whatever else the machine does falls on both.
 */
import { createHmac, randomUUID } from "node:crypto";
import http from "node:http";
import { percentile, request, startPlatform, type Served } from "./_harness.ts";
import { ms, printMusts, type Measured } from "./musts.ts";

const PAIRS = 2_000;
const WARM_UP = 200;
const SECRET = "a secret of GitHub's length";
const MOST_US = 300;

type Subject = "call" | "hook";

export async function webhooks(): Promise<void> {
  printMusts(await webhookBench());
}

export async function webhookBench(): Promise<Measured[]> {
  const platform = await startPlatform("process");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  try {
    await install(platform);
    const body = JSON.stringify({ ref: "refs/heads/main", text: "x".repeat(1024 - 36) });
    const signature = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
    const token = { authorization: `Bearer ${platform.token}`, prefer: "respond-async" };
    const send = {
      call: () =>
        post(platform, agent, { path: "/ops/pushed", body, headers: { ...token, "idempotency-key": randomUUID() } }),
      hook: () =>
        post(platform, agent, {
          path: "/hooks/pushed",
          body,
          headers: { "x-github-event": "push", "x-github-delivery": randomUUID(), "x-hub-signature-256": signature },
        }),
    };
    const taken: Record<Subject, number[]> = { call: [], hook: [] };
    for (let pair = -WARM_UP; pair < PAIRS; pair++) {
      // Neither is always the one behind the other.
      for (const subject of pair % 2 === 0 ? (["call", "hook"] as const) : (["hook", "call"] as const)) {
        const us = await send[subject]();
        if (pair >= 0) taken[subject].push(us);
      }
    }
    return [row("p50", 0.5, taken), row("p10, when the machine has time", 0.1, taken), row("p99", 0.99, taken)];
  } finally {
    agent.destroy();
    await platform.stop();
  }
}

function row(name: string, share: number, { call, hook }: Record<Subject, number[]>): Measured {
  const [signed, plain] = [percentile(hook, share), percentile(call, share)];
  const isMust = share === 0.5;
  return {
    measure: `a signed webhook (1 KiB) over the same call without one, ${name}`,
    ours: `+ ${ms(signed - plain)} (${ms(signed)})`,
    beside: `POST /ops: ${ms(plain)}`,
    must: isMust ? `≤ ${ms(MOST_US)}` : "-",
    holds: isMust ? signed - plain <= MOST_US : undefined,
  };
}

/** Microseconds from the first byte sent to the last received. */
function post(
  { port }: Served,
  agent: http.Agent,
  { path, body, headers }: { path: string; body: string; headers: Record<string, string> },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = process.hrtime.bigint();
    const options = { method: "POST", host: "127.0.0.1", port, path, agent };
    const sent = http.request({ ...options, headers: { "content-type": "application/json", ...headers } }, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.on("end", () => {
        if (answer.statusCode === 202) resolve(Number(process.hrtime.bigint() - startedAt) / 1_000);
        else reject(new Error(`${path}: ${answer.statusCode} ${text}`));
      });
    });
    sent.on("error", reject).end(body);
  });
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
