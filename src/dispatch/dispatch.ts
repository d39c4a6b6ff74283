/**
 * The one way to run an operation. Routes, opctl and ctx.call all come through here, and later webhooks, schedules,
 * workflows, pipelines and streams:
 *
 *     resolve → authorize → check input → choose → invoke → check output → record
 *
 * A refusal before anything ran is thrown; what an implementation did, good or bad, is an answer and is recorded.
 */
import { LIMITS } from "../core/limits.ts";
import { newExecutionId } from "../core/ids.ts";
import { SwitchyardError } from "../core/errors.ts";
import type { ParsedJson } from "../core/json.ts";
import type { Adapter } from "../adapters/adapter.ts";
import type { LogLine } from "../model/invocation.ts";
import type { ExecutionRecord, Outcome } from "../model/outcome.ts";
import type { Caller, Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { authorize } from "./authorize.ts";
import { checkInput } from "./check-input.ts";
import { checkOutput } from "./check-output.ts";
import { chooseAdapter, type EnvironmentPort } from "./choose.ts";

/** Where finished executions go. `add` returns at once: the record is written off the way of the call. */
export interface RecorderPort {
  /** The shard that executions starting now are recorded in. */
  readonly shard: number;
  add(record: ExecutionRecord): void;
}

export type DispatchPorts = {
  registry: {
    resolve(
      name: string,
      options: { revision?: number; minRegistryRevision?: number },
    ): Promise<{ operation: ResolvedOperation; stale: boolean }>;
  };
  environments: EnvironmentPort;
  adapters: ReadonlyMap<string, Adapter>;
  recorder: RecorderPort;
  /** What the handler presents for ctx.call: this principal, at this depth. */
  capability(principalId: string, depth: number): string | Promise<string>;
  /** What the handler said while it ran. Called only when it said something. */
  log(executionId: string, operation: string, lines: readonly LogLine[]): void;
  now(): number;
};

export type Call = {
  name: string;
  revision?: number;
  minRegistryRevision?: number;
  input: ParsedJson;
  principal: Principal;
  caller: Caller;
  /** 0 for a call from outside, one more for each ctx.call. */
  depth: number;
  traceparent: string;
  /** Check the input and go no further. */
  validateOnly?: boolean;
};

export type Answer = {
  executionId: string | undefined;
  operation: ResolvedOperation;
  outcome: Outcome;
  /** The registry did not answer: this ran from what was cached. */
  stale: boolean;
  /** Milliseconds spent in each step. */
  timings: { resolve: number; run: number; total: number };
};

export async function dispatch(call: Call, ports: DispatchPorts): Promise<Answer> {
  const startedAt = ports.now();
  if (call.depth > LIMITS.callDepth) {
    throw new SwitchyardError(
      "call_depth_exceeded",
      `Cannot call "${call.name}": operations may call each other ${LIMITS.callDepth} deep; this would be ${call.depth}`,
    );
  }
  const { operation, stale } = await ports.registry.resolve(call.name, {
    ...(call.revision === undefined ? {} : { revision: call.revision }),
    ...(call.minRegistryRevision === undefined ? {} : { minRegistryRevision: call.minRegistryRevision }),
  });
  authorize(operation, call.principal);
  const input = checkInput(operation, call.input);
  const resolvedAt = ports.now();
  if (call.validateOnly === true) {
    const timings = { resolve: resolvedAt - startedAt, run: 0, total: resolvedAt - startedAt };
    return { executionId: undefined, operation, outcome: { ok: true, output: input.text, logs: [] }, stale, timings };
  }

  const { adapter, environment } = await chooseAdapter(operation, ports.environments, ports.adapters);
  const executionId = newExecutionId(ports.recorder.shard, startedAt);
  const invoked = await adapter.invoke({
    operation,
    input: input.text,
    inputValue: input.value,
    principal: call.principal,
    meta: {
      execution_id: executionId,
      attempt: 1,
      operation: operation.name,
      revision: operation.revision,
      caller: call.caller,
      traceparent: call.traceparent,
      timeout_ms: operation.timeoutMs,
      capability: await ports.capability(call.principal.id, call.depth + 1),
    },
  });
  const outcome = checkOutput(operation, invoked);
  if (outcome.logs.length > 0) ports.log(executionId, operation.name, outcome.logs);
  const finishedAt = ports.now();
  ports.recorder.add({
    id: executionId,
    operation: operation.name,
    revision: operation.revision,
    digest: operation.digest,
    environment,
    status: outcome.ok ? "succeeded" : "failed",
    caller: call.caller,
    principal: call.principal.id,
    traceparent: call.traceparent,
    started_at: startedAt,
    finished_at: finishedAt,
    error: outcome.ok ? null : outcome.error,
  });
  const timings = { resolve: resolvedAt - startedAt, run: finishedAt - resolvedAt, total: finishedAt - startedAt };
  return { executionId, operation, outcome, stale, timings };
}
