/** An order as tests of external work give it. */
import type { WorkOrder } from "./_work.ts";

export function anOrder(input: string, timeoutMs = 10_000): WorkOrder {
  return {
    input,
    meta: {
      execution_id: "ex_1",
      attempt: 2,
      operation: "op",
      revision: 1,
      caller: { type: "token", id: "t" },
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      tracestate: "congo=t61rcWkgMzE",
      timeout_ms: timeoutMs,
      capability: "",
    },
  };
}
