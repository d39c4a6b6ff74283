/**
 * Carries out steps of an agent: a stateless invocation that enters at dispatch() as the agent's own principal. A step's key is
 * the same whoever starts it and what it is given is kept by the object, so a crash before the answer comes to the one execution.
 */
import { ERRORS, toErrorData, toSwitchyardError } from "../core/errors.ts";
import { beginTrace } from "../core/trace.ts";
import { dispatch, type DispatchPorts } from "../dispatch/dispatch.ts";
import { compileExpression } from "../expressions/index.ts";
import type { ExecutionView } from "../model/execution.ts";
import type { Outcome } from "../model/outcome.ts";
import { triggerPrincipalId, type TriggerHandle } from "../model/triggers.ts";
import { withTarget, type Value } from "../planner/index.ts";
import type { Patch, StepAnswer, StepData, StepOrder } from "./messages.ts";
import type { RowsRegistry } from "./rows.ts";
import { patchesOf } from "./step-data.ts";

/** How long one invocation waits for an execution before it says that it goes on. */
export const WAIT_MS = 25_000;

export type RunPorts = {
  registry: RowsRegistry;
  dispatch: DispatchPorts;
  executions: { find(id: string): Promise<ExecutionView | undefined> };
  waitMs?: number;
};

type Row = TriggerHandle<"agent">;

type Took = (answer: StepAnswer) => Promise<void>;

/** `took` is told of each as it is known, and of its execution before. What stands in the way is an answer, too. */
export async function runSteps(orders: readonly StepOrder[], ports: RunPorts, took: Took): Promise<void> {
  await Promise.all(orders.map((order) => runStep(order, ports, took)));
}

async function runStep(order: StepOrder, ports: RunPorts, took: Took): Promise<void> {
  const { plan, step } = order;
  let { execution } = order;
  const noted = async (id: string): Promise<void> => {
    execution = id;
    await took({ plan, step, execution, kind: "running" });
  };
  let end: End;
  try {
    end = await carryOut(order, ports, noted);
  } catch (thrown) {
    const error = toErrorData(toSwitchyardError(thrown));
    const { status, fault } = ERRORS[error.code];
    // What waiting mends is asked again: the operation is there and open, and there is a place for it.
    const mends = fault === "system" || status === 429;
    end = mends ? { kind: "unknown", execution, error } : { kind: "failed", execution, error, cancelled: false };
  }
  if (end.kind !== "running") await took({ plan, step, ...end });
}

/** StepAnswer without what is the same in all of them. */
type End = StepAnswer extends infer A ? (A extends StepAnswer ? Omit<A, "plan" | "step"> : never) : never;

async function carryOut(order: StepOrder, ports: RunPorts, noted: (id: string) => Promise<void>): Promise<End> {
  const { job, data, execution, isFirst, agent } = order;
  // Before anything runs: an effect that fails must not leave behind what was done.
  const patches = patchesOf(data.path, data.value, await effectOf(order));
  if (execution !== null) return endOf(execution, patches, ports);
  if (job.when !== null && (await evaluate(job.when, data)) !== true) return { kind: "overtaken", execution };
  if (job.operation === null) return { kind: "succeeded", execution, patches };
  const [row] = await ports.registry.triggersNamed("agent", [agent]);
  // Paused or deleted before it could start. Where it may have been started, its key tells.
  if (row === undefined || (isFirst && !row.active)) return { kind: "overtaken", execution };
  const { id } = await call({ row, operation: job.operation, ...(await givenTo(order)), waitMs: 0 }, ports);
  // Known before its end, so that it can be looked at and cancelled.
  await noted(id);
  return endOf(id, patches, ports);
}

async function endOf(execution: string, patches: Patch[], ports: RunPorts): Promise<End> {
  const outcome = await ports.dispatch.keeper.outcome(execution, ports.waitMs ?? WAIT_MS);
  if (outcome === undefined) return { kind: "running", execution };
  if (outcome.ok) return { kind: "succeeded", execution, patches };
  const view = await ports.executions.find(execution);
  return { kind: "failed", execution, error: outcome.error, cancelled: view?.status === "cancelled" };
}

async function givenTo({ job, data, key }: StepOrder): Promise<{ input: unknown; key: string }> {
  const { path, params, value, target } = data;
  const input = job.input === null ? { path, params, value, target } : await evaluate(job.input, data);
  return { input: input ?? null, key };
}

async function effectOf({ job, data }: StepOrder): Promise<Value> {
  if (job.effect === null) return withTarget(data.value, data.target);
  return (await evaluate(job.effect, data)) as Value;
}

async function evaluate(source: string, data: StepData): Promise<unknown> {
  return (await compileExpression(source)).evaluate(data);
}

type Begun = { id: string; outcome: Outcome | undefined };

/** One execution, kept, as the agent. */
export async function call(
  {
    row,
    operation,
    input,
    key,
    waitMs,
  }: { row: Pick<Row, "name" | "scopes">; operation: string; input: unknown; key?: string; waitMs: number },
  ports: Pick<RunPorts, "dispatch">,
): Promise<Begun> {
  const id = triggerPrincipalId("agent", row.name);
  const text = JSON.stringify(input);
  const { executionId = "", outcome } = await dispatch(
    {
      name: operation,
      input: { text, value: JSON.parse(text) as unknown },
      principal: { id, name: id, scopes: row.scopes },
      caller: { type: "agent", id: row.name },
      depth: 0,
      ...beginTrace(),
      async: true,
      waitMs,
      ...(key === undefined ? {} : { idempotencyKey: key }),
    },
    ports.dispatch,
  );
  return { id: executionId, outcome };
}
