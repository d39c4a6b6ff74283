/**
 * 100,000 registered operations against 10: does a call get slower, how long does the first look at one of them take,
 * and what does memory do when calls spread over 5,000 of them?
 */
import path from "node:path";
import { createClient } from "@libsql/client";
import { median, memoryOf, opctl, percentile, request, runLoad, startPlatform, type Served } from "./_harness.ts";
import type { LoadResult } from "./load.ts";

const MANY = 100_000;
const SPREAD = 5_000;
const ROUNDS = 5;
const BODY = JSON.stringify({ input_str: "hi" });

export async function scale(): Promise<void> {
  const few = await seeded(10);
  const many = await seeded(MANY);
  try {
    const results: Record<"few" | "many", LoadResult[]> = { few: [], many: [] };
    for (let round = -1; round < ROUNDS; round++) {
      for (const [name, served] of [
        ["few", few],
        ["many", many],
      ] as const) {
        const result = await runLoad(plan(served, ["/ops/seeded_1"], 1, 2));
        if (round >= 0) results[name].push(result);
      }
    }
    const [fewP50, manyP50] = [median(results.few.map((r) => r.p50)), median(results.many.map((r) => r.p50))];
    console.log(
      `\nwarm call, one connection: p50 ${(fewP50 / 1000).toFixed(2)} ms with 10 operations, ${(manyP50 / 1000).toFixed(2)} ms with ${MANY} (× ${(manyP50 / fewP50).toFixed(2)})`,
    );

    const spreadPaths = Array.from({ length: SPREAD }, (_, index) => `/ops/seeded_${1 + index * 19}?validate=only`);
    const tenPaths = Array.from({ length: 10 }, (_, index) => `/ops/seeded_${1 + index}?validate=only`);
    await runLoad(plan(many, spreadPaths, 1, 20));
    const checks: Record<"few" | "many", LoadResult[]> = { few: [], many: [] };
    for (let round = 0; round < ROUNDS; round++) {
      checks.few.push(await runLoad(plan(few, tenPaths, 1, 2)));
      checks.many.push(await runLoad(plan(many, spreadPaths, 1, 2)));
    }
    const [tenP50, spreadP50] = [median(checks.few.map((r) => r.p50)), median(checks.many.map((r) => r.p50))];
    console.log(
      `warm, resolved and checked but not run: p50 ${(tenP50 / 1000).toFixed(2)} ms over 10 of 10, ${(spreadP50 / 1000).toFixed(2)} ms over ${SPREAD} of ${MANY} (× ${(spreadP50 / tenP50).toFixed(2)})`,
    );

    const first: number[] = [];
    for (let index = 0; index < 500; index++) {
      const startedAt = performance.now();
      const response = await request(many, `/ops/seeded_${2 + index * 190}?validate=only`, { input_str: "hi" });
      if (!response.ok) throw new Error(await response.text());
      first.push(performance.now() - startedAt);
    }
    console.log(
      `first resolve of ${first.length} operations among ${MANY}: p50 ${median(first).toFixed(1)} ms, p99 ${percentile(first, 0.99).toFixed(1)} ms, the whole request`,
    );

    const before = memoryOf(many.pid);
    const paths = spreadPaths.map((path) => path.replace("?validate=only", ""));
    const spread = await runLoad(plan(many, paths, 16, 30));
    console.log(
      `calls over ${SPREAD} operations, 16 connections: ${spread.perSecond} calls/s, p50 ${(spread.p50 / 1000).toFixed(1)} ms, p99 ${(spread.p99 / 1000).toFixed(1)} ms (${spread.count} calls)`,
    );
    console.log(`memory, MB: ${describe(before)} before; ${describe(memoryOf(many.pid))} after`);
  } finally {
    await few.stop();
    await many.stop();
  }
}

function plan(served: Served, paths: readonly string[], connections: number, seconds: number) {
  const headers = { authorization: `Bearer ${served.token}` };
  return { port: served.port, requests: paths.map((path) => ({ path, headers, body: BODY })), connections, seconds };
}

/** A platform with `count` copies of one operation, written straight into its tables. */
async function seeded(count: number): Promise<Served> {
  const first = await startPlatform("process");
  await opctl(first, "deploy", "examples/echo.ts#echo");
  await first.stop({ keep: true });
  const client = createClient({ url: `file:${path.join(first.state, "registry.db")}` });
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`;
  await client.batch(
    [
      `${numbers} INSERT INTO entities (kind, name, revision, digest, manifest, resolved, created_at, updated_at, updated_by)
       SELECT kind, 'seeded_' || i, 1, digest, json_set(manifest, '$.name', 'seeded_' || i), resolved, created_at, updated_at, updated_by
       FROM n, entities WHERE kind = 'operation' AND name = 'echo'`,
      `${numbers} INSERT INTO revisions (kind, name, revision, digest, manifest, resolved, author, at)
       SELECT kind, 'seeded_' || i, 1, digest, json_set(manifest, '$.name', 'seeded_' || i), resolved, author, at
       FROM n, revisions WHERE kind = 'operation' AND name = 'echo' AND revision = 1`,
      `${numbers} INSERT INTO changes (seq, kind, name, action, author, before, after, at)
       SELECT (SELECT max(seq) FROM changes) + i, 'operation', 'seeded_' || i, 'create', 'system', NULL, c.after, c.at
       FROM n, (SELECT * FROM changes WHERE kind = 'operation' AND name = 'echo' LIMIT 1) c`,
    ],
    "write",
  );
  client.close();
  return startPlatform("process", first.state);
}

function describe(processes: ReturnType<typeof memoryOf>): string {
  return processes.map(({ name, megabytes }) => `${name} ${megabytes}`).join(", ");
}
