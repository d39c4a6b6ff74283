/** What the built-in `chain` takes. It runs in an execution of its own, so it is the executions' to run: see executions/chain.ts. */
import * as v from "valibot";
import { LIMITS } from "../../core/limits.ts";
import { JsonObjectSchema } from "../../model/implementations.ts";

export const CHAIN_FUNCTION = "chain";

export const chainInput = v.strictObject({
  steps: v.pipe(
    v.array(
      v.strictObject({
        /** A name, with @revision where it is pinned. */
        operation: v.pipe(
          v.string(),
          v.regex(/^[a-z][a-z0-9_.-]{0,127}(?:@[1-9][0-9]{0,14})?$/, "must be an operation's name"),
        ),
        /** The first step's input; later, members that are set on the output of the step before. */
        args: v.optional(JsonObjectSchema, {}),
      }),
    ),
    v.minLength(1),
    v.maxLength(LIMITS.chainSteps),
  ),
});
