/** Runs a function of the platform itself. The function checks the principal's scope, so a duplicated row keeps it. */
import { SwitchyardError, toErrorData, toSwitchyardError } from "../../core/errors.ts";
import type { Principal } from "../../model/principal.ts";
import type { Adapter } from "../adapter.ts";

/** `run` is the registry's, handed in because one layer-3 folder does not import another. */
export function builtinAdapter(
  run: (name: string, input: unknown, principal: Principal) => Promise<{ output: unknown }>,
): Adapter {
  return {
    name: "builtin",
    async invoke({ operation, inputValue, principal }) {
      const { implementation } = operation;
      try {
        if (implementation.kind !== "builtin") {
          throw new SwitchyardError(
            "no_environment",
            `Cannot run "${operation.name}" as a built-in: its implementation must be one; it is ${implementation.kind}`,
          );
        }
        const { output } = await run(implementation.function, inputValue, principal);
        return { ok: true, output: JSON.stringify(output), logs: [] };
      } catch (thrown) {
        return { ok: false, error: toErrorData(toSwitchyardError(thrown)), retry: { kind: "may" }, logs: [] };
      }
    },
  };
}
