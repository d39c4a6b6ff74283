/**
 * A worker with nothing but the executor: what the executor's contract and the supervisor's tests run behind. The
 * operation comes with the request, in a header.
 */
import { SwitchyardError, type ErrorData } from "../../src/core/errors.ts";
import { createExecutor, type CreatedExecutor, type ExecutorBindings } from "../../src/executor/create-executor.ts";

import type { InvocationMeta } from "../../src/model/invocation.ts";

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
    // What a handler reaches with ctx.call.
    if (pathname.startsWith("/ops/")) {
      if (pathname === "/ops/missing") {
        return Response.json(
          { code: "operation_not_found", detail: "Cannot find it", hint: "look again" },
          { status: 404 },
        );
      }
      return Response.json({
        called: pathname,
        with: await request.json(),
        bearer: request.headers.get("authorization"),
      });
    }
    const order = JSON.parse(decodeURIComponent(request.headers.get("order") ?? "{}")) as Order;
    const result = await created.executor.run(
      {
        id: order.isolate ?? `${order.operation}-${order.code.length}`,
        operation: order.operation,
        load: async () => {
          const { load_error: failed } = order;
          if (failed !== undefined) throw new SwitchyardError(failed.code, failed.detail);
          return {
            code: order.code,
            export: order.export ?? "handler",
            network: order.network ?? [],
            secrets: order.secrets ?? {},
          };
        },
      },
      await request.text(),
      order.meta ?? {
        execution_id: `ex_00_${crypto.randomUUID()}_${next++}`,
        attempt: 1,
        operation: order.operation,
        revision: 1,
        caller: { type: "token", id: "test" },
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        timeout_ms: order.timeout_ms ?? 5_000,
        capability: "the-capability",
      },
    );
    return Response.json(result);
  },
};
