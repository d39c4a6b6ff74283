/** How the cases of the executor's contract say what to run: a module, and what else differs from the usual. */
import type { Executor, InvocationMeta, InvocationResult, IsolateDefinition } from "../../src/model/invocation.ts";

export type Order = Partial<IsolateDefinition> & {
  code: string;
  operation?: string;
  /** Left out, the order gets an isolate of its own. */
  isolate?: string;
  timeout_ms?: number;
  execution_id?: string;
  live?: boolean;
  /** What the definition's load() does instead. */
  load?: () => Promise<IsolateDefinition>;
};

/** A request to the edge that the executor under test belongs to. */
export type Ask = (path: string, init?: { method: string; body: string }) => Promise<{ json(): Promise<unknown> }>;

export type Run = (order: Order, input?: unknown) => Promise<InvocationResult>;

/** Runs many orders at once out of one request, as a group. `took_ms` is counted from the start of all. */
export type RunGroup = (
  orders: readonly (readonly [Order & { alone?: boolean; cancel_after_ms?: number }, unknown])[],
) => Promise<{ result: InvocationResult; took_ms: number }[]>;

let isolates = 0;
let executions = 0;

/** An isolate's id that no other case uses. */
export function freshIsolate(): string {
  return `contract-${isolates++}`;
}

export function freshExecution(): string {
  return `ex_00_contract_${process.pid}_${executions++}`;
}

function metaOf(order: Order): InvocationMeta {
  const { operation = "tested", timeout_ms = 10_000, execution_id = freshExecution(), live } = order;
  return {
    execution_id,
    attempt: 1,
    operation,
    revision: 1,
    caller: { type: "token", id: "test" },
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    timeout_ms,
    capability: "the-capability",
    ...(live === undefined ? {} : { live }),
  };
}

export function runnerOf(executor: () => Executor): Run {
  return (order, input = {}) => {
    const { code, operation = "tested", isolate = freshIsolate() } = order;
    const { export: name = "handler", network = [], secrets = {} } = order;
    const load =
      order.load ?? (async () => ({ code, language: "javascript" as const, export: name, network, secrets }));
    return executor().run({ id: isolate, operation, load }, JSON.stringify(input), metaOf(order));
  };
}

/** `ask` reaches the edge of _executor-edges.ts. */
export function groupRunnerOf(ask: () => Ask): RunGroup {
  return async (orders) => {
    const body = orders.map(([order, input]) => ({
      order: { isolate: freshIsolate(), operation: "tested", ...order, meta: metaOf(order) },
      input: JSON.stringify(input),
    }));
    const response = await ask()("/group", { method: "POST", body: JSON.stringify(body) });
    return (await response.json()) as Awaited<ReturnType<RunGroup>>;
  };
}

/** A module whose handler has that body. */
export function handler(body: string): string {
  return `export async function handler(input, ctx) { ${body} }`;
}

/** A module whose handler answers with the status and text of a fetch. */
export function fetching(url: string): string {
  return handler(`const r = await fetch(${JSON.stringify(url)}); return [r.status, await r.text()]`);
}

/** This machine, in every way that a URL can say it. */
export const LOOPBACK_SPELLINGS = [
  "127.0.0.1",
  "2130706433",
  "0x7f000001",
  "017700000001",
  "127.1",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[64:ff9b::7f00:1]",
  "localhost",
  "0.0.0.0",
  "[::]",
];

export type Asked = { method: string; path: string; headers: Record<string, string>; body: unknown };

/** What a call's handler has asked of the platform, in order. */
export async function askedBy(ask: Ask, execution: string): Promise<Asked[]> {
  return (await (await ask(`/asked?execution=${execution}`)).json()) as Asked[];
}
