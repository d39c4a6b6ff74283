/** What an agent waits for: all 1,000 tools of a registry, from a platform that has just started and from one that has not. */
import path from "node:path";
import { createClient } from "@libsql/client";
import { median, opctl, percentile, startPlatform, type Served } from "./_harness.ts";

const TOOLS = 1_000;
const COLD_ROUNDS = 5;
const WARM_ROUNDS = 200;
const MUST_MS = 100;

export async function mcpBench(): Promise<void> {
  const state = await seeded();
  const [begun, cold, warm]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < COLD_ROUNDS; round++) {
    const served = await startPlatform("process", state);
    try {
      begun.push(await timed(() => post(served, "initialize", HELLO)));
      cold.push(await timed(() => listAll(served)));
      if (round === COLD_ROUNDS - 1) {
        for (let at = 0; at < WARM_ROUNDS; at++) warm.push(await timed(() => listAll(served)));
      }
    } finally {
      await served.stop({ keep: round < COLD_ROUNDS - 1 });
    }
  }
  console.log(`\n/mcp, first request after the start: p50 ${ms(median(begun))}, at most ${ms(Math.max(...begun))}`);
  console.log(`tools/list of ${TOOLS}, first: p50 ${ms(median(cold))}, at most ${ms(Math.max(...cold))}`);
  console.log(
    `tools/list of ${TOOLS}, again: p50 ${ms(median(warm))}, p99 ${ms(percentile(warm, 0.99))} (must: ${MUST_MS} ms)`,
  );
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

const HELLO = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } };

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function listAll(served: Served): Promise<void> {
  let cursor: string | undefined;
  let count = 0;
  do {
    const { tools, nextCursor } = (await post(served, "tools/list", cursor === undefined ? {} : { cursor })) as {
      tools: unknown[];
      nextCursor?: string;
    };
    count += tools.length;
    cursor = nextCursor;
  } while (cursor !== undefined);
  if (count < TOOLS) throw new Error(`${count} tools were listed, of ${TOOLS}`);
}

async function post(served: Served, method: string, params: object): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${served.port}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${served.token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const data = (await response.text()).split("\n").find((line) => line.startsWith("data: ")) ?? "data: {}";
  const { result } = JSON.parse(data.slice("data: ".length)) as { result?: unknown };
  if (result === undefined) throw new Error(`${method}: ${response.status} ${data.slice(0, 500)}`);
  return result;
}

/** The state of a platform with so many copies of one operation, each with a digest of its own. */
async function seeded(): Promise<string> {
  const served = await startPlatform("process");
  await opctl(served, "deploy", "examples/word-count.ts");
  await served.stop({ keep: true });
  const client = createClient({ url: `file:${path.join(served.state, "registry.db")}` });
  await client.execute(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${TOOLS})
     INSERT INTO entities (kind, name, revision, digest, manifest, resolved, created_at, updated_at, updated_by)
     SELECT kind, 'seeded_' || i, 1, digest || i, json_set(manifest, '$.name', 'seeded_' || i), resolved, created_at, updated_at, updated_by
     FROM n, entities WHERE kind = 'operation' AND name = 'word_count'`,
  );
  client.close();
  return served.state;
}
