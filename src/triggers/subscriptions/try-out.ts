/** Tries a subscription out: a delivery like any other, of an event that tells of an execution that never was. */
import { SwitchyardError } from "../../core/errors.ts";
import { randomId } from "../../core/ids.ts";
import { passOnTrace } from "../../core/trace.ts";
import type { DispatchPorts } from "../../dispatch/dispatch.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { TriggerHandle } from "../../model/triggers.ts";
import type { Event } from "./event.ts";
import { policyOf } from "./policy.ts";
import { startDelivery } from "./tell-ends.ts";

type Subscription = TriggerHandle<"subscription">;
type Ports = {
  subscription(name: string): Promise<Subscription | undefined>;
  dispatch: DispatchPorts;
  now(): number;
};

/** What the platform itself takes beside the receiver. */
const GRACE_MS = 5_000;

/** `outcome` is undefined when it has not ended in time. */
export async function tryOut(
  name: string,
  ports: Ports,
): Promise<{ executionId: string; outcome: Outcome | undefined }> {
  const row = await ports.subscription(name);
  if (row === undefined) {
    throw new SwitchyardError(
      "entity_not_found",
      `Cannot test the subscription "${name}": there is none of that name`,
      {
        hint: "opctl get subscriptions",
      },
    );
  }
  const event = madeUp(row, new Date(ports.now()).toISOString());
  const { retry, timeoutMs } = policyOf(row);
  const executionId = await startDelivery(
    row,
    event,
    {
      key: event.id,
      depth: 0,
      traceparent: passOnTrace(undefined),
      policy: { timeoutMs, retry: { ...retry, max_attempts: 1 } },
    },
    ports.dispatch,
  );
  return { executionId, outcome: await ports.dispatch.keeper.outcome(executionId, timeoutMs + GRACE_MS) };
}

function madeUp({ name, operations, on: [status = "succeeded"] }: Subscription, at: string): Event {
  const isGood = status === "succeeded";
  return {
    type: `execution.${status}`,
    id: `evt_test_${randomId(16)}`,
    at,
    data: {
      execution: {
        id: "ex_test",
        operation: operations[0] ?? "test",
        revision: 1,
        status,
        caller: { type: "token", id: "test" },
        accepted_at: at,
        started_at: at,
        finished_at: at,
        attempt: 1,
        error: isGood ? null : { code: "implementation_failed", detail: `A test of the subscription "${name}".` },
        parent: null,
        replay_of: null,
      },
      ...(isGood ? { output: {} } : {}),
      input: {},
    },
  };
}
