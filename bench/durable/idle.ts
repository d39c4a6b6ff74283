/** What a platform costs that has 10,000 executions due tomorrow and nothing to do today, beside one that has none. */
import { processorUse, type Served } from "../_harness.ts";
import type { Measured } from "../musts.ts";
import { accept, get, OPERATION, startDurable, type Page } from "./platform.ts";

const DELAYED = 10_000;
const SETTLE_MS = 10_000;
const WINDOW_MS = 60_000;
const DAY_MS = 86_400_000;

export async function measureIdle(): Promise<Measured[]> {
  const served: Served[] = [];
  try {
    for (let index = 0; index < 2; index++) served.push(await startDurable("process"));
    const [delayed, empty] = served as [Served, Served];
    const { count } = await accept(delayed, {
      query: `?delay_ms=${DAY_MS}`,
      connections: 50,
      seconds: 60,
      count: DELAYED,
    });
    if (count < DELAYED) throw new Error(`Only ${count} of ${DELAYED} executions were accepted within a minute`);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const [used, usedByEmpty] = await Promise.all([processorUse(delayed, WINDOW_MS), processorUse(empty, WINDOW_MS)]);
    const page = await get<Page<unknown>>(delayed, `/executions?operation=${OPERATION}&status=queued&limit=100`);
    if (page.items.length !== 100) throw new Error("The delayed executions are not there");
    console.log(`\nprocessor time over ${WINDOW_MS / 1000} s, % of one core`);
    console.log(`with ${DELAYED} delayed executions: ${used.text}\nwith none: ${usedByEmpty.text}`);
    return [
      {
        measure: `idle, ${DELAYED} delayed executions: processor over ${WINDOW_MS / 1000} s, all processes`,
        ours: `${used.percent.toFixed(2)} %`,
        beside: `the same platform without any: ${usedByEmpty.percent.toFixed(2)} %`,
        must: "< 1 % of one core",
        holds: used.percent < 1,
      },
    ];
  } finally {
    for (const platform of served) await platform.stop();
  }
}
