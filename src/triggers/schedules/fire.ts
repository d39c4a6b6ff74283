/**
 * Starts due times: a stateless invocation that takes a group of orders and enters at dispatch() for each, as the schedule's
 * own principal. A due time's key is the same whoever starts it, so two objects, two clocks or a crash before the answer is
 * noted come to the one execution.
 */
import { ERRORS, toSwitchyardError } from "../../core/errors.ts";
import { beginTrace } from "../../core/trace.ts";
import { dispatch, type DispatchPorts } from "../../dispatch/dispatch.ts";
import { isFinal } from "../../model/execution-states.ts";
import type { ExecutionView } from "../../model/execution.ts";
import { triggerPrincipalId, type TriggerHandle } from "../../model/triggers.ts";
import type { Registry } from "../../registry/registry.ts";
import type { FireAnswer, FireOrder } from "./messages.ts";

export type FirePorts = {
  registry: Pick<Registry, "triggersNamed">;
  dispatch: DispatchPorts;
  executions: {
    find(id: string): Promise<ExecutionView | undefined>;
    cancel(id: string): Promise<ExecutionView | undefined>;
  };
};

type Row = TriggerHandle<"schedule">;

export async function fireAll(orders: readonly FireOrder[], ports: FirePorts): Promise<FireAnswer[]> {
  let rows: ReadonlyMap<string, Row>;
  try {
    rows = await rowsOf(orders, ports);
  } catch (thrown) {
    return orders.map(({ seq }) => ({ seq, ended: [], ...refusal(thrown) }));
  }
  return Promise.all(orders.map((order) => fire(order, rows.get(order.name), ports)));
}

/** By what the cache holds, and where that is not what the order was decided by, by what the database does. */
async function rowsOf(orders: readonly FireOrder[], { registry }: FirePorts): Promise<ReadonlyMap<string, Row>> {
  const names = [...new Set(orders.map(({ name }) => name))];
  const rows = new Map((await registry.triggersNamed("schedule", names)).map((row) => [row.name, row]));
  const other = orders.filter(({ name, digest }) => rows.get(name)?.digest !== digest).map(({ name }) => name);
  if (other.length === 0) return rows;
  for (const name of other) rows.delete(name);
  for (const row of await registry.triggersNamed("schedule", [...new Set(other)], { fresh: true }))
    rows.set(row.name, row);
  return rows;
}

async function fire(order: FireOrder, row: Row | undefined, ports: FirePorts): Promise<FireAnswer> {
  const { seq } = order;
  if (row === undefined || !row.active || row.digest !== order.digest) return { seq, ended: [], kind: "changed" };
  const ended: string[] = [];
  try {
    const running = await goingOn(order, ended, ports);
    if (running !== undefined) return { seq, ended, kind: "running", execution: running };
    return { seq, ended, ...(await start(row, order, ports)) };
  } catch (thrown) {
    return { seq, ended, ...refusal(thrown) };
  }
}

/** The execution of an earlier due time that this one waits for. Those that it replaces are cancelled. */
async function goingOn(order: FireOrder, ended: string[], { executions }: FirePorts): Promise<string | undefined> {
  if (order.overlap === "allow") return undefined;
  let running: string | undefined;
  for (const id of order.previous) {
    let view = await executions.find(id);
    if (view !== undefined && !isFinal(view.status) && order.overlap === "cancel_previous") {
      view = await executions.cancel(id).catch(() => executions.find(id));
    }
    if (view === undefined || isFinal(view.status)) ended.push(id);
    else running = id;
  }
  return running;
}

type Started = { kind: "fired"; execution: string | null; at: number };

async function start(row: Row, { due, delay_ms: delayMs = 0 }: FireOrder, ports: FirePorts): Promise<Started> {
  const at = ports.dispatch.now();
  try {
    return {
      kind: "fired",
      execution: await call(row, ports.dispatch, {
        idempotencyKey: `${row.name} ${new Date(due).toISOString()}`,
        ...(delayMs > 0 ? { delayMs } : {}),
      }),
      at,
    };
  } catch (thrown) {
    // It was started before the row was edited, and whoever did so could not note it.
    if (toSwitchyardError(thrown).code === "idempotency_key_reused") return { kind: "fired", execution: null, at };
    throw thrown;
  }
}

/** One execution of the schedule's operation, kept. Answers its id. */
export async function call(
  row: Row,
  ports: DispatchPorts,
  when: { idempotencyKey?: string; delayMs?: number } = {},
): Promise<string | null> {
  const id = triggerPrincipalId("schedule", row.name);
  const { executionId } = await dispatch(
    {
      name: row.operation,
      input: { text: JSON.stringify(row.input), value: row.input },
      principal: { id, name: id, scopes: row.scopes },
      caller: { type: "schedule", id: row.name },
      depth: 0,
      ...beginTrace(),
      async: true,
      ...when,
    },
    ports,
  );
  return executionId ?? null;
}

/** What nobody mends by waiting is not tried again: a closed or retyped operation, a right that is missing. */
function refusal(
  thrown: unknown,
): { kind: "refused" } & Pick<FireAnswer & { kind: "refused" }, "code" | "detail" | "again"> {
  const { code, message } = toSwitchyardError(thrown);
  const { status, fault } = ERRORS[code];
  return { kind: "refused", code, detail: message, again: fault === "system" || status === 429 };
}
