/** A call as dispatch makes one, for tests of whoever takes it. */
import { operationOf } from "../../../src/model/_operation.test-util.ts";
import type { AdapterCall, EnvironmentHandle } from "../../../src/adapters/adapter.ts";
import { environmentOf } from "../../../src/model/_environment.test-util.ts";
import type { RunOptions } from "../../../src/model/invocation.ts";
import type { Implementation } from "../../../src/model/resolved.ts";

export type CallChanges = { environment?: EnvironmentHandle; timeoutMs?: number; options?: RunOptions };

/** What came with the call: the span is its caller's. */
export const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

export const TRACESTATE = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";

let calls = 0;

export function callOf(implementation: Implementation, input: unknown = {}, changes: CallChanges = {}): AdapterCall {
  const { environment = environmentOf("here", { adapter: "inline" }), timeoutMs = 1_000, options } = changes;
  const operation = operationOf("tested", {
    revision: 2,
    timeoutMs,
    implementation,
    environments: [environment.name],
  });
  calls += 1;
  return {
    operation,
    environment,
    input: JSON.stringify(input),
    inputValue: input,
    depth: 0,
    principal: { id: "p", name: "tester", scopes: ["ops:invoke"] },
    isLast: true,
    meta: {
      execution_id: `ex_00_${calls}`,
      attempt: 1,
      operation: operation.name,
      revision: operation.revision,
      caller: { type: "token", id: "p" },
      traceparent: TRACE,
      tracestate: TRACESTATE,
      timeout_ms: operation.timeoutMs,
      capability: "the-capability",
    },
    ...(options === undefined ? {} : { options }),
  };
}
