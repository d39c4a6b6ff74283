/** Runs a function of the platform itself. The function checks the principal's scope, so a duplicated row keeps it. */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import type { Outcome } from "../../model/outcome.ts";
import { outcomeOfThrown, type Adapter, type AdapterCall } from "../adapter.ts";

/** `run` knows registry and executions; it is handed in because one layer-3 folder does not import another. */
export function builtinAdapter(run: (name: string, call: AdapterCall) => Promise<Outcome>): Adapter {
  return {
    name: "builtin",
    summary: "functions of the platform itself",
    config: v.strictObject({}),
    secrets: {},
    runs: [],
    async invoke(call) {
      const { operation } = call;
      const { implementation } = operation;
      try {
        if (implementation.kind !== "builtin") {
          throw new SwitchyardError(
            "no_environment",
            `Cannot run "${operation.name}" as a built-in: its implementation must be one; it is ${implementation.kind}`,
          );
        }
        return await run(implementation.function, call);
      } catch (thrown) {
        return outcomeOfThrown(thrown);
      }
    },
  };
}
