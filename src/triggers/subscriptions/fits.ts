/**
 * Whether the end of an execution is a subscription's business. Nothing is told that would lead to itself without an end:
 * not what the subscription started, and of deliveries only those that it names, never one that is as deep as calls go.
 */
import { LIMITS } from "../../core/limits.ts";
import { DELIVERY_FUNCTION } from "../../registry/builtins/delivery-function.ts";
import type { Wanted } from "../../model/ended.ts";
import type { ExecutionStatus } from "../../model/execution-states.ts";
import type { Caller } from "../../model/principal.ts";
import { ENDINGS, type Subscription, type TriggerHandle } from "../../model/triggers.ts";

export type Ended = {
  operation: string;
  group: string;
  status: ExecutionStatus;
  caller: Caller;
  depth: number;
};

export function fits(subscription: Subscription, ended: Ended): boolean {
  const on: readonly ExecutionStatus[] = subscription.on;
  return on.includes(ended.status) && concerns(subscription, ended) && !(isDelivery(ended) && isDeepest(ended));
}

/** Which ends of such an execution the subscriptions ask for; undefined: none. */
export function wantedEnds(
  subscriptions: readonly TriggerHandle<"subscription">[],
  operation: { name: string; group: string },
  caller: Caller,
): Wanted | undefined {
  const { group } = operation;
  // The end of what a schedule started decides whether it may start the next.
  if (caller.type === "schedule") return { group, on: ENDINGS };
  const wanted = new Set(
    subscriptions.flatMap((each) => (concerns(each, { operation: operation.name, group, caller }) ? each.on : [])),
  );
  return wanted.size === 0 ? undefined : { group, on: [...wanted] };
}

/** While nobody can say who wants to hear of what, everything is noted. */
export function anyEnd(group: string): Wanted {
  return { group, on: ENDINGS };
}

function concerns(subscription: Subscription, ended: Pick<Ended, "operation" | "group" | "caller">): boolean {
  const { name, active, operations, groups } = subscription;
  const { operation, group, caller } = ended;
  if (!active || (caller.type === "subscription" && caller.id === name)) return false;
  if (isDelivery(ended)) return operations.includes(operation);
  if (operations.length === 0 && groups.length === 0) return true;
  return operations.includes(operation) || groups.includes(group);
}

function isDelivery({ operation }: { operation: string }): boolean {
  return operation === DELIVERY_FUNCTION;
}

function isDeepest({ depth }: { depth: number }): boolean {
  return depth >= LIMITS.callDepth;
}
