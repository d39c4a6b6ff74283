/** What a service of the team's own is told of a call, beside its input: RFC 9110 headers in the platform's own words. */
import { contextOf } from "../../core/trace.ts";
import type { InvocationMeta } from "../../model/invocation.ts";

/** Names one piece of work, the same at every attempt: an item of a batch is work of its own. */
export function idempotencyKey(meta: InvocationMeta): string {
  return meta.item === undefined ? meta.execution_id : `${meta.execution_id}.${meta.item}`;
}

export function callHeaders(meta: InvocationMeta): Record<string, string> {
  return {
    ...contextOf(meta),
    "switchyard-execution-id": meta.execution_id,
    "switchyard-attempt": String(meta.attempt),
    "switchyard-timeout-ms": String(meta.timeout_ms),
  };
}
