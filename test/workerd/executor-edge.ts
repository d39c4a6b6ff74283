/**
 * A worker with nothing but the executor: what the executor's contract and the supervisor's tests run behind. The
 * operation comes with the request, in a header.
 */
import { Cancellation } from "../../src/core/cancellation.ts";
import { SwitchyardError, type ErrorData } from "../../src/core/errors.ts";
import { createExecutor, type CreatedExecutor, type ExecutorBindings } from "../../src/executor/create-executor.ts";
import type { Executor, InvocationMeta, InvocationResult, RunOptions } from "../../src/model/invocation.ts";

import { fakePlatform } from "./_fake-platform.ts";

export { Gate } from "../../src/executor/gate.ts";

type Order = {
  operation: string;
  code: string;
  export?: string;
  network?: string[];
  secrets?: Record<string, string>;
  timeout_ms?: number;
  isolate?: string;
  /** The definition cannot be loaded: this is why. */
  load_error?: ErrorData;
  /** Not with the others of its group. */
  alone?: boolean;
  /** When nobody wants the result any more; negative: from the start. */
  cancel_after_ms?: number;
  /** Left out, the usual. */
  meta?: InvocationMeta;
};

let created: CreatedExecutor | undefined;
let next = 0;

export default {
  async fetch(request: Request, env: ExecutorBindings): Promise<Response> {
    created ??= createExecutor(env);
    const { pathname } = new URL(request.url);
    if (pathname === "/internal/executors")
      return (await created.control?.(request)) ?? new Response(null, { status: 404 });
    const asked = await fakePlatform(request);
    if (asked !== undefined) return asked;
    // Many orders in one request context, as the runner of attempts has it.
    if (pathname === "/group") {
      const { executor } = created;
      const group = {};
      const startedAt = Date.now();
      const ends = (await request.json<{ order: Order; input: string }[]>()).map(async ({ order, input }) => {
        const options = { ...(order.alone === true ? {} : { group }), ...cancellationOf(order) };
        const result = await runOrder(executor, order, input, options);
        return { result, took_ms: Date.now() - startedAt };
      });
      return Response.json(await Promise.all(ends));
    }
    const order = JSON.parse(decodeURIComponent(request.headers.get("order") ?? "{}")) as Order;
    return Response.json(await runOrder(created.executor, order, await request.text(), {}));
  },
};

function cancellationOf({ cancel_after_ms: afterMs }: Order): { cancellation?: Cancellation } {
  if (afterMs === undefined) return {};
  const cancellation = new Cancellation();
  if (afterMs < 0) cancellation.request();
  else setTimeout(() => cancellation.request(), afterMs);
  return { cancellation };
}

function runOrder(executor: Executor, order: Order, input: string, options: RunOptions): Promise<InvocationResult> {
  const isolate = {
    id: order.isolate ?? `${order.operation}-${order.code.length}`,
    operation: order.operation,
    load: async () => {
      const { load_error: failed } = order;
      if (failed !== undefined) throw new SwitchyardError(failed.code, failed.detail);
      const { code, export: name = "handler", network = [], secrets = {} } = order;
      return { code, language: "javascript" as const, export: name, network, secrets };
    },
  };
  const meta = order.meta ?? {
    execution_id: `ex_00_${crypto.randomUUID()}_${next++}`,
    attempt: 1,
    operation: order.operation,
    revision: 1,
    caller: { type: "token", id: "test" },
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    timeout_ms: order.timeout_ms ?? 5_000,
    capability: "the-capability",
  };
  return executor.run(isolate, input, meta, options);
}
