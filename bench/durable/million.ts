/** Whether a platform that keeps 1,000,000 finished executions is as fast as one that keeps few. Both run side by side. */
import { median, request, type Served } from "../_harness.ts";
import type { LoadResult } from "../load.ts";
import { ms, times, type Measured } from "../musts.ts";
import { accept, BODY, complete, drained, get, look, OPERATION, startDurable, type Page } from "./platform.ts";
import { seedExecutions } from "./seed.ts";

const STORED = 1_000_000;
const SHARDS = 16;
const ROUNDS = 7;
const SECONDS = 2;
const DAY_MS = 86_400_000;
const MOST = 1.2;
const LISTING_MOST_US = 50_000;

type Item = { id: string };

export async function measureMillion(): Promise<Measured[]> {
  const served: Served[] = [];
  try {
    const { many, ids } = await seeded();
    served.push(many);
    const few = await startDurable("process");
    served.push(few);
    await complete(few, { seconds: SECONDS });
    const own = (await get<Page<Item>>(few, `/executions?operation=${OPERATION}&limit=100`)).items.map(({ id }) => id);

    const accepts = await compared(ROUNDS, async (side) => {
      const platform = side === "few" ? few : many;
      const result = await accept(platform, { seconds: SECONDS });
      await drained(platform);
      return result;
    });
    const lookUps = await compared(ROUNDS, (side) =>
      side === "few" ? look(few, looked(own), { seconds: SECONDS }) : look(many, looked(ids), { seconds: SECONDS }),
    );
    const rows = [comparison("accept (202)", accepts), comparison("look-up by id", lookUps)];
    for (const query of LISTINGS) {
      const page = await get<Page<Item>>(many, `/executions?${query}`);
      if (page.items.length !== 100) throw new Error(`GET /executions?${query} answered ${page.items.length} items`);
      const listings = await compared(ROUNDS, (side) =>
        look(side === "few" ? few : many, [`/executions?${query}`], { seconds: 1 }),
      );
      rows.push(listing(query, listings));
    }
    return rows;
  } finally {
    for (const platform of served) await platform.stop();
  }
}

/** All; one common and one rare mix of conditions; a status alone. */
const LISTINGS = [
  "limit=100",
  `operation=${OPERATION}&status=succeeded&limit=100`,
  `operation=${OPERATION}&status=cancelled&limit=100`,
  "status=cancelled&limit=100",
];

/** A platform that ran some of everything that is then copied. */
async function seeded(): Promise<{ many: Served; ids: string[] }> {
  const first = await startDurable("process");
  try {
    await complete(first, { connections: 16, seconds: 60, count: SHARDS * 40 });
    for (let index = 0; index < SHARDS * 4; index++) {
      const accepted = await request(first, `/ops/${OPERATION}?delay_ms=${DAY_MS}`, JSON.parse(BODY));
      const { execution_id: id } = (await accepted.json()) as { execution_id: string };
      const cancelled = await request(first, `/executions/${id}/cancel`, {});
      if (!cancelled.ok) throw new Error(`Cancelling answered ${cancelled.status}: ${await cancelled.text()}`);
    }
    await drained(first);
  } catch (error) {
    await first.stop();
    throw error;
  }
  await first.stop({ keep: true });
  const startedAt = performance.now();
  const { ids, stored, perShard, tables } = seedExecutions(first.state, { operation: OPERATION, count: STORED });
  if (perShard.length !== SHARDS) throw new Error(`Seeded ${perShard.length} of ${SHARDS} shards`);
  console.log(
    `\n${stored} finished executions written into ${perShard.length} shards in ${((performance.now() - startedAt) / 1000).toFixed(0)} s (tables ${tables.join(", ")})`,
  );
  return { many: await startDurable("process", first.state), ids };
}

const looked = (ids: readonly string[]): string[] => ids.map((id) => `/executions/${id}`);

type Compared = { few: LoadResult[]; many: LoadResult[] };

async function compared(rounds: number, run: (side: "few" | "many") => Promise<LoadResult>): Promise<Compared> {
  const results: Compared = { few: [], many: [] };
  for (let round = -1; round < rounds; round++) {
    for (const side of ["few", "many"] as const) {
      const result = await run(side);
      if (round >= 0) results[side].push(result);
    }
  }
  return results;
}

function comparison(measure: string, { few, many }: Compared): Measured {
  const factor = median(many.map(({ p50 }, round) => p50 / (few[round]?.p50 ?? Number.NaN)));
  return {
    measure: `${STORED} stored: ${measure}, p50 (p99)`,
    ours: ms2(many),
    beside: `few stored: ${ms2(few)} (${times(factor)})`,
    must: `≤ ${times(MOST)}`,
    holds: factor <= MOST,
  };
}

function listing(query: string, { few, many }: Compared): Measured {
  return {
    measure: `${STORED} stored: GET /executions?${query}, p50 (p99)`,
    ours: ms2(many),
    beside: `few stored: ${ms2(few)}`,
    must: "≤ 50 ms, also p99",
    holds: median(many.map(({ p99 }) => p99)) <= LISTING_MOST_US,
  };
}

function ms2(results: readonly LoadResult[]): string {
  return `${ms(median(results.map(({ p50 }) => p50)))} (${ms(median(results.map(({ p99 }) => p99)))})`;
}
