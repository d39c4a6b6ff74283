/**
 * The one way to run an operation. Routes, opctl, ctx.call, webhooks, schedules, subscriptions and agents all come through
 * here:
 *
 *     resolve → authorize → check input → limit → choose → invoke → check output → record
 *
 * An asynchronous call is kept after the check and goes on from there later, through the same steps. A refusal before
 * anything ran is thrown; what an implementation did, good or bad, is an answer and is recorded.
 */
import { newExecutionId } from "../core/ids.ts";
import { SwitchyardError, toErrorData, toSwitchyardError, type ErrorData } from "../core/errors.ts";
import type { ParsedJson } from "../core/json.ts";
import { LIMITS } from "../core/limits.ts";
import { contextOf } from "../core/trace.ts";
import type { LogLine } from "../model/invocation.ts";
import type { RetryPolicy } from "../model/execution.ts";
import type { ExecutionRecord, Outcome, PassedOver } from "../model/outcome.ts";
import type { Caller, Principal } from "../model/principal.ts";
import type { Limited, RateLimitsPort } from "../model/rate-limit.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { authorize } from "./authorize.ts";
import { batchOutput, checkBatchInput, invokeBatch } from "./batch.ts";
import { checkInput } from "./check-input.ts";
import { invoke, type InvokePorts } from "./invoke.ts";
import { limit } from "./limit.ts";
import { observed } from "./observe.ts";

/** Where finished executions go. `add` returns at once: the record is written off the way of the call. */
export interface RecorderPort {
  /** The shard that executions starting now are recorded in. */
  readonly shard: number;
  add(record: ExecutionRecord): void;
}

/** Where it ran, null: nowhere; and which environments did not run it. */
export type RanAt = { environment: string | null; passedOver: readonly PassedOver[] };

/** One call that is to be kept before it runs. */
export type KeptCall = Pick<Call, "principal" | "caller" | "depth" | "traceparent" | "tracestate"> & {
  mode: "sync" | "async";
  operation: ResolvedOperation;
  input: { text: string; value: unknown };
  idempotencyKey: string | undefined;
  delayMs: number;
  expiresMs: number | undefined;
  /** In place of what the operation's row says. */
  policy: Policy | undefined;
  beside: string | undefined;
};

/** How often an asynchronous call is tried, and how long one attempt may take. */
export type Policy = { retry: RetryPolicy; timeoutMs: number };

/** `repeated`: the Idempotency-Key had been used for the same input, and this is its execution. */
export type Kept = { id: string; repeated: boolean };

/** Where calls are kept. */
export interface KeeperPort {
  /** Resolves when it is durable. Throws idempotency_key_reused, queue_full, state_unavailable. */
  keep(call: KeptCall): Promise<Kept>;
  /** As keep(), and waits for the end; no outcome when it has not ended within `waitMs`. */
  keepAndWait(call: KeptCall, waitMs: number): Promise<{ kept: Kept; outcome: Outcome | undefined }>;
  /** What it has come to; undefined when it has not ended within `waitMs`. */
  outcome(id: string, waitMs: number): Promise<Outcome | undefined>;
  /** The end of a kept synchronous call. Resolves when it is durable. */
  finish(
    id: string,
    run: { operation: ResolvedOperation; caller: Caller; outcome: Outcome; startedAt: number } & RanAt,
  ): Promise<void>;
}

export type DispatchPorts = InvokePorts & {
  registry: {
    resolve(
      name: string,
      options: { revision?: number; minRegistryRevision?: number },
    ): Promise<{ operation: ResolvedOperation; stale: boolean }>;
  };
  recorder: RecorderPort;
  keeper: KeeperPort;
  rateLimits: RateLimitsPort;
  /** What the handler said while it ran. Called only when it said something. */
  log(executionId: string, call: Pick<Call, "name" | "traceparent">, lines: readonly LogLine[]): void;
};

export type Call = {
  name: string;
  revision?: number;
  minRegistryRevision?: number;
  /** Or what makes one of its parts, once the caller is known to be allowed: its type says how they are read. */
  input: ParsedJson | ((operation: ResolvedOperation) => ParsedJson);
  principal: Principal;
  caller: Caller;
  /** 0 for a call from outside, one more for each ctx.call. */
  depth: number;
  traceparent: string;
  tracestate?: string;
  /** The trace begins with this call: see core/trace.ts. */
  isRoot?: true;
  /** Check the input and go no further. */
  validateOnly?: boolean;
  /** Keep it and run it later, whatever its row says (Prefer: respond-async). */
  async?: boolean;
  /** How long to wait for a kept call before it is only acknowledged. Milliseconds. */
  waitMs?: number;
  idempotencyKey?: string;
  /** For kept calls: begin not before, and begin within. Milliseconds from now. */
  delayMs?: number;
  expiresMs?: number;
  /** For asynchronous calls of the platform's own, whose tries another row than the operation's decides. */
  policy?: Policy;
  /**
   * The execution near which it is kept, so that many such calls of one moment are few messages. A call that comes again under
   * its idempotencyKey must name the same.
   */
  beside?: string;
  /** Told of the operation's rate limit, where it has one, whether it let the call through or not. */
  limited?: (limited: Limited) => void;
};

export type Answer = {
  executionId: string | undefined;
  operation: ResolvedOperation;
  /** undefined: it is kept and will run, but has not ended. */
  outcome: Outcome | undefined;
  /** Where it ran, when it ran now. */
  environment?: string | null;
  /** It was kept: now, or before under the same Idempotency-Key. */
  kept?: Kept;
  /** The registry did not answer: this ran from what was cached. */
  stale: boolean;
  /** Milliseconds spent in each step. */
  timings: { resolve: number; run: number; total: number };
};

export function dispatch(call: Call, ports: DispatchPorts): Promise<Answer> {
  return ports.telemetry === undefined ? go(call, ports) : observed(call, ports, ports.telemetry, go);
}

async function go(call: Call, ports: DispatchPorts): Promise<Answer> {
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
  const given = typeof call.input === "function" ? call.input(operation) : call.input;
  const input = operation.batch ? checkBatchInput(operation, given) : checkInput(operation, given);
  const resolvedAt = ports.now();
  const answered: Answered = (executionId, outcome, { kept, environment = null } = {}) => {
    const now = ports.now();
    const timings = { resolve: resolvedAt - startedAt, run: now - resolvedAt, total: now - startedAt };
    return { executionId, operation, outcome, environment, stale, timings, ...(kept === undefined ? {} : { kept }) };
  };
  if (call.validateOnly === true) return answered(undefined, { ok: true, output: input.text, logs: [] });

  const mode = operation.isAsync || call.async === true ? "async" : "sync";
  refuseForSync(call, mode);
  if (operation.rateLimit !== null) await limit(operation.name, operation.rateLimit, call, ports.rateLimits);
  if (mode === "async") {
    const toKeep = keptCall(call, { mode, operation, input });
    if (call.waitMs === undefined || call.waitMs === 0) {
      const kept = await ports.keeper.keep(toKeep);
      return answered(kept.id, undefined, { kept });
    }
    const { kept, outcome } = await ports.keeper.keepAndWait(toKeep, call.waitMs);
    return answered(kept.id, outcome, { kept });
  }
  if (call.idempotencyKey !== undefined) return once(call, { operation, input, startedAt, answered }, ports);
  return runNow(call, { operation, input, startedAt, answered }, ports);
}

type Checked = {
  operation: ResolvedOperation;
  input: { text: string; value: unknown };
  startedAt: number;
  answered: Answered;
};

type Answered = (
  executionId: string | undefined,
  outcome: Outcome | undefined,
  more?: { kept?: Kept; environment?: string | null },
) => Answer;

async function runNow(call: Call, checked: Checked, ports: DispatchPorts): Promise<Answer> {
  const { operation, startedAt } = checked;
  const executionId = newExecutionId(ports.recorder.shard, startedAt);
  const { outcome, environment, passedOver, failure } = await run(call, checked, ports, executionId);
  const { record } = operation;
  if (record === "all" || (record === "errors" && failure !== null)) {
    ports.recorder.add({
      id: executionId,
      operation: operation.name,
      group: operation.group,
      depth: call.depth,
      revision: operation.revision,
      digest: operation.digest,
      environment,
      ...(passedOver.length === 0 ? {} : { passed_over: passedOver }),
      status: failure === null ? "succeeded" : "failed",
      caller: call.caller,
      principal: call.principal.id,
      traceparent: call.traceparent,
      started_at: startedAt,
      finished_at: ports.now(),
      retention_ms: operation.retentionMs,
      error: failure,
    });
  }
  return checked.answered(executionId, outcome, { environment });
}

/** A synchronous call with an Idempotency-Key is kept before it runs, and its result before it is answered. */
async function once(call: Call, checked: Checked, ports: DispatchPorts): Promise<Answer> {
  const { operation, input, startedAt } = checked;
  const kept = await ports.keeper.keep(keptCall(call, { mode: "sync", operation, input }));
  if (kept.repeated) {
    const outcome = await ports.keeper.outcome(kept.id, 0);
    if (outcome !== undefined) return checked.answered(kept.id, outcome, { kept });
    throw new SwitchyardError(
      "idempotency_in_progress",
      `Cannot call "${operation.name}" with this Idempotency-Key yet: the call it stands for must have ended; ${kept.id} is still running`,
    );
  }
  let end: { outcome: Outcome } & RanAt;
  try {
    end = await run(call, checked, ports, kept.id);
  } catch (thrown) {
    // Nothing has run, but the key stands for this call now: its answer is this refusal.
    const error = toErrorData(toSwitchyardError(thrown));
    end = { outcome: { ok: false, error, retry: { kind: "may" }, logs: [] }, environment: null, passedOver: [] };
  }
  await ports.keeper.finish(kept.id, { ...end, operation, caller: call.caller, startedAt });
  return checked.answered(kept.id, end.outcome, { kept, environment: end.environment });
}

type Run = RanAt & {
  outcome: Outcome;
  /** What the record says. A batch answers, and yet not all of it may have succeeded. */
  failure: ErrorData | null;
};

async function run(
  call: Call,
  { operation, input, startedAt }: Checked,
  ports: DispatchPorts,
  executionId: string,
): Promise<Run> {
  const { principal, caller, depth } = call;
  const meta = {
    execution_id: executionId,
    attempt: 1,
    operation: operation.name,
    revision: operation.revision,
    caller,
    ...contextOf(call),
    timeout_ms: operation.timeoutMs,
  };
  let end: Run;
  if (operation.batch) {
    const items = input.value as unknown[];
    const deadline = startedAt + operation.timeoutMs;
    const batch = await invokeBatch({ operation, items, principal, depth, meta }, ports, {
      deadline,
      now: () => ports.now(),
    });
    const { environment, passedOver, logs, failure } = batch;
    const outcome: Outcome = { ok: true, output: batchOutput(batch.outcomes), logs };
    end = { outcome, environment, passedOver, failure: failure ?? null };
  } else {
    const { outcome, environment, passedOver } = await invoke({ operation, input, principal, depth, meta }, ports);
    end = { outcome, environment, passedOver, failure: outcome.ok ? null : outcome.error };
  }
  if (end.outcome.logs.length > 0) ports.log(executionId, call, end.outcome.logs);
  return end;
}

function keptCall(call: Call, { mode, operation, input }: Pick<KeptCall, "mode" | "operation" | "input">): KeptCall {
  const { principal, caller, depth, idempotencyKey, expiresMs, policy, beside } = call;
  return {
    mode,
    operation,
    input,
    principal,
    caller,
    depth,
    ...contextOf(call),
    idempotencyKey,
    expiresMs,
    policy,
    beside,
    delayMs: call.delayMs ?? 0,
  };
}

function refuseForSync(call: Call, mode: "sync" | "async"): void {
  if (mode === "async" || (call.delayMs === undefined && call.expiresMs === undefined)) return;
  throw new SwitchyardError(
    "bad_request",
    `Cannot delay or expire this call of "${call.name}": only asynchronous calls wait; this one is synchronous`,
    { hint: "add --async, or the header Prefer: respond-async, or set the operation's is_async" },
  );
}
