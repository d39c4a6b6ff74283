/** Our side of `npm run bench -- durable`: a platform with an asynchronous echo, and when it has nothing left to do. */
import { opctl, request, runLoad, startPlatform, type Served } from "../_harness.ts";
import type { LoadPlan, LoadResult } from "../load.ts";

export const OPERATION = "echo_async";
export const BODY = JSON.stringify({ input_str: "hi" });
export const OUTPUT = '{"output_str":"hi"}';
const UNFINISHED = ["queued", "running", "retrying"] as const;
/** Nothing ends `cancelled` unless it is asked for. */
const UNWANTED = ["failed", "dead", "expired"] as const;
const DRAINED_WITHIN_MS = 180_000;

export type Page<T> = { items: T[]; next_cursor: string | null };

/** With `echo` and its asynchronous duplicate. */
export async function startDurable(executor: "process" | "inline", state?: string): Promise<Served> {
  const served = await startPlatform(executor, state);
  if (state !== undefined) return served;
  try {
    await opctl(served, "deploy", "examples/echo.ts#echo");
    await opctl(served, "duplicate", "operation", "echo", "-s", `name=${OPERATION}`, "-s", "is_async=true");
    return served;
  } catch (error) {
    await served.stop();
    throw error;
  }
}

/** Accepts only: answers 202 at once. */
export function accept(served: Served, plan: Partial<LoadPlan> & { query?: string }): Promise<LoadResult> {
  return load(served, `/ops/${OPERATION}${plan.query ?? ""}`, { ...plan, status: 202 });
}

/** Accepts, and answers 200 with the output once it is there. */
export function complete(served: Served, plan: Partial<LoadPlan>): Promise<LoadResult> {
  return load(served, `/ops/${OPERATION}`, { ...plan, status: 200 }, { prefer: "wait=10" });
}

async function load(
  served: Served,
  path: string,
  plan: Partial<LoadPlan>,
  headers: Record<string, string> = {},
): Promise<LoadResult> {
  return runLoad({
    connections: 1,
    seconds: 2,
    requests: [{ path, headers: { authorization: `Bearer ${served.token}`, ...headers }, body: BODY }],
    ...plan,
    port: served.port,
  });
}

/** Reads, one request in flight, round the paths. */
export function look(served: Served, paths: readonly string[], plan: Partial<LoadPlan>): Promise<LoadResult> {
  const headers = { authorization: `Bearer ${served.token}` };
  return runLoad({
    connections: 1,
    seconds: 2,
    ...plan,
    port: served.port,
    requests: paths.map((path) => ({ method: "GET", path, headers, body: "" })),
  });
}

/** Waits until everything accepted has succeeded. Answers how long that took; throws when anything ended otherwise. */
export async function drained(served: Served): Promise<number> {
  const startedAt = performance.now();
  for (const status of UNFINISHED) {
    // In the order of an execution's life; one that is retried goes back, which the second look below finds.
    while ((await first(served, status)) !== undefined) {
      if (performance.now() - startedAt > DRAINED_WITHIN_MS)
        throw new Error(`After ${DRAINED_WITHIN_MS} ms there is still a ${status} execution`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  for (const status of UNFINISHED) if ((await first(served, status)) !== undefined) await drained(served);
  const took = performance.now() - startedAt;
  for (const status of UNWANTED) {
    const found = await first(served, status);
    if (found !== undefined) throw new Error(`An execution ended ${status}: ${JSON.stringify(found)}`);
  }
  return took;
}

async function first(served: Served, status: string): Promise<unknown> {
  const page = await get<Page<unknown>>(served, `/executions?operation=${OPERATION}&status=${status}&limit=1`);
  return page.items[0];
}

export async function get<T>(served: Served, target: string): Promise<T> {
  const response = await request(served, target, undefined, "GET");
  const text = await response.text();
  if (!response.ok) throw new Error(`GET ${target} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}
