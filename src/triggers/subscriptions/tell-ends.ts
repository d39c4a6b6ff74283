/**
 * From the ends that a shard has noted to what is done about them: each subscription's delivery is kept as an execution
 * of its own, under a key made of the subscription and the execution that ended, so that an end told twice is delivered
 * once. Whatever can fail for one subscription alone fails there, in an attempt at the delivery; nothing of it is here.
 */
import { logError } from "../../core/log.ts";
import { SwitchyardError } from "../../core/errors.ts";
import { passOnTrace } from "../../core/trace.ts";
import { dispatch, type DispatchPorts, type Policy } from "../../dispatch/dispatch.ts";
import type { EndedExecution, EndNote } from "../../model/ended.ts";
import { triggerPrincipalId, type TriggerHandle } from "../../model/triggers.ts";
import { policyOf } from "./policy.ts";
import { eventOf, withoutInput, type Event } from "./event.ts";
import { DELIVERY_FUNCTION } from "../../registry/builtins/delivery-function.ts";
import { fits } from "./fits.ts";

type Subscription = TriggerHandle<"subscription">;

export type TellPorts = {
  /** JSON of EndedExecution[]: as many of the ids, from the first, as go into one message. */
  read(ids: readonly string[], options: { inputs: boolean }): Promise<string>;
  subscriptions(): Promise<readonly Subscription[]>;
  /** Executions that schedules started have ended. */
  schedulesEnded(ends: readonly { schedule: string; execution: string }[]): Promise<void>;
  dispatch: DispatchPorts;
};

/** Answers the ids that need not be told again. Throws when nothing can be told now. */
export async function tellEnds(notes: readonly EndNote[], ports: TellPorts): Promise<string[]> {
  const groups = new Map(notes.map(({ id, group }) => [id, group]));
  const subscriptions = await ports.subscriptions();
  const inputs = subscriptions.some(({ active, mapping }) => active && mapping !== null);
  const failed = new Set<string>();
  for (let left = [...groups.keys()]; left.length > 0;) {
    const read = JSON.parse(await ports.read(left, { inputs })) as EndedExecution[];
    const last = read.at(-1);
    // What is not kept any more has nothing to be told of.
    if (last === undefined) break;
    const bySchedules = read.flatMap(({ view: { id, caller } }) =>
      caller.type === "schedule" ? [{ schedule: caller.id, execution: id }] : [],
    );
    if (bySchedules.length > 0) await ports.schedulesEnded(bySchedules);
    await Promise.all(
      read.map(async (ended) => {
        const { id } = ended.view;
        try {
          await tellOne(ended, groups.get(id) ?? "", subscriptions, ports);
        } catch (error) {
          failed.add(id);
          logError(`subscriptions: cannot tell of the end of ${id} yet`, error);
        }
      }),
    );
    left = left.slice(left.indexOf(last.view.id) + 1);
  }
  return [...groups.keys()].filter((id) => !failed.has(id));
}

async function tellOne(
  ended: EndedExecution,
  group: string,
  subscriptions: readonly Subscription[],
  ports: TellPorts,
): Promise<void> {
  const { id, operation, status, caller, traceparent } = ended.view;
  const told = subscriptions.filter((each) => fits(each, { operation, group, status, caller, depth: ended.depth }));
  if (told.length === 0) return;
  const event = eventOf(ended);
  // What a delivery starts is one deeper than the delivery, and the delivery of a delivery one deeper than that.
  const depth = ended.depth + (operation === DELIVERY_FUNCTION ? 1 : 0);
  await Promise.all(told.map((each) => startDelivery(each, event, { key: id, depth, traceparent }, ports.dispatch)));
}

/** Keeps the delivery; answers its execution's id. */
export async function startDelivery(
  subscription: Subscription,
  event: Event,
  made: { key: string; depth: number; traceparent: string; policy?: Policy },
  ports: DispatchPorts,
): Promise<string> {
  const { name, mapping } = subscription;
  const { key, depth, traceparent, policy = policyOf(subscription) } = made;
  const input = { subscription: name, event: mapping === null ? withoutInput(event) : event };
  try {
    const { executionId } = await dispatch(
      {
        name: DELIVERY_FUNCTION,
        input: { text: JSON.stringify(input), value: input },
        // To be told is no right that a row could leave out; what the delivery starts has those of the row.
        principal: { id: triggerPrincipalId("subscription", name), name, scopes: ["ops:invoke"] },
        caller: { type: "subscription", id: name },
        depth,
        traceparent: passOnTrace(traceparent),
        async: true,
        idempotencyKey: `${name} ${key}`,
        beside: key,
        policy,
      },
      ports,
    );
    return executionId ?? "";
  } catch (error) {
    // It was told before, when a mapping was there that made the event another.
    if (error instanceof SwitchyardError && error.code === "idempotency_key_reused") return "";
    throw error;
  }
}
