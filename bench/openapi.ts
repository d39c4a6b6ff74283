/**
 * /openapi.json of 10,000 operations in one answer: the first time in a process, again while nothing changed, with the
 * ETag, and after one of them was edited.
 */
import path from "node:path";
import { createClient } from "@libsql/client";
import { median, opctl, request, startPlatform, type Served } from "./_harness.ts";

const COUNT = 10_000;
const ROUNDS = 5;

export async function openapiBench(): Promise<void> {
  const cold: number[] = [];
  let state = "";
  for (let round = 0; round < ROUNDS; round++) {
    const served = round === 0 ? await seeded() : await startPlatform("process", state);
    state = served.state;
    cold.push((await read(served)).ms);
    if (round + 1 < ROUNDS) await served.stop({ keep: true });
    else await warm(served, cold);
  }
}

async function warm(served: Served, cold: readonly number[]): Promise<void> {
  try {
    const cached: number[] = [];
    const unchanged: number[] = [];
    const edited: number[] = [];
    const { etag, bytes } = await read(served);
    for (let round = 0; round < 20; round++) {
      cached.push((await read(served)).ms);
      unchanged.push((await read(served, etag)).ms);
    }
    for (let round = 0; round < ROUNDS; round++) {
      const patch = { description: `edit ${round}` };
      const answer = await request(served, `/registry/operations/seeded_${round + 1}`, patch, "PATCH");
      if (!answer.ok) throw new Error(await answer.text());
      edited.push((await read(served)).ms);
    }
    console.log(
      `\n/openapi.json of ${COUNT} operations, ${(bytes / 2 ** 20).toFixed(1)} MiB, median: first of a process ${median(cold).toFixed(0)} ms, again ${median(cached).toFixed(0)} ms, not modified ${median(unchanged).toFixed(1)} ms, after an edit ${median(edited).toFixed(0)} ms`,
    );
  } finally {
    await served.stop();
  }
}

async function read(served: Served, etag?: string): Promise<{ ms: number; bytes: number; etag: string }> {
  const startedAt = performance.now();
  const response = await fetch(`http://127.0.0.1:${served.port}/openapi.json`, {
    headers: { authorization: `Bearer ${served.token}`, ...(etag === undefined ? {} : { "if-none-match": etag }) },
  });
  const { byteLength } = await response.arrayBuffer();
  const ms = performance.now() - startedAt;
  if (response.status !== (etag === undefined ? 200 : 304)) throw new Error(`/openapi.json: ${response.status}`);
  return { ms, bytes: byteLength, etag: response.headers.get("etag") ?? "" };
}

/** A platform with many copies of one operation, written straight into its tables. */
async function seeded(): Promise<Served> {
  const first = await startPlatform("process");
  await opctl(first, "deploy", "examples/echo.ts#echo");
  await first.stop({ keep: true });
  const client = createClient({ url: `file:${path.join(first.state, "registry.db")}` });
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${COUNT})`;
  const columns = "digest || '_' || i, json_set(manifest, '$.name', 'seeded_' || i), resolved";
  await client.batch(
    [
      `${numbers} INSERT INTO entities (kind, name, revision, digest, manifest, resolved, created_at, updated_at, updated_by)
       SELECT kind, 'seeded_' || i, 1, ${columns}, created_at, updated_at, updated_by
       FROM n, entities WHERE kind = 'operation' AND name = 'echo'`,
      `${numbers} INSERT INTO revisions (kind, name, revision, digest, manifest, resolved, author, at)
       SELECT kind, 'seeded_' || i, 1, ${columns}, author, at
       FROM n, revisions WHERE kind = 'operation' AND name = 'echo' AND revision = 1`,
    ],
    "write",
  );
  client.close();
  return startPlatform("process", first.state);
}
