/** The built-in function that tries a subscription out. What delivers lives in a higher layer and comes in as a port. */
import * as v from "valibot";
import { NameSchema } from "../../model/names.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { WiredFunction } from "./execution-functions.ts";
import { parseInput } from "./parse-input.ts";

const testInput = v.strictObject({ name: NameSchema });
const testOutput = v.strictObject({
  execution_id: v.string(),
  delivered: v.boolean(),
  /** What the delivery came to: deliver_event's output, or its error. */
  output: v.unknown(),
  error: v.nullable(v.looseObject({ code: v.string(), detail: v.string() })),
});

export type SubscriptionPorts = {
  subscriptions: {
    /** Delivers a made-up event, once. Throws entity_not_found. */
    test(name: string): Promise<{ executionId: string; outcome: Outcome | undefined }>;
  };
};

export const SUBSCRIPTION_FUNCTIONS: readonly WiredFunction[] = [
  {
    name: "test_subscription",
    description: "Delivers a made-up event to a subscription, once, and answers what became of it.",
    scope: "registry:write",
    input: () => testInput,
    output: () => testOutput,
    async run(name, { input, ports }) {
      const { executionId, outcome } = await ports.subscriptions.test(parseInput(testInput, input, name).name);
      return {
        execution_id: executionId,
        delivered: outcome?.ok === true,
        output: outcome?.ok === true ? (JSON.parse(outcome.output) as unknown) : null,
        error: outcome === undefined || outcome.ok ? null : outcome.error,
      };
    },
  },
];
