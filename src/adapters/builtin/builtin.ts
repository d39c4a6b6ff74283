/** Runs a function of the platform itself. The function checks the principal's scope, so a duplicated row keeps it. */
import { toErrorData, toSwitchyardError } from "../../core/errors.ts";
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
      if (implementation.kind !== "builtin") throw new TypeError(`${operation.name} is not a built-in`);
      try {
        const { output } = await run(implementation.function, inputValue, principal);
        return { ok: true, output: JSON.stringify(output), logs: [] };
      } catch (thrown) {
        const error = toSwitchyardError(thrown);
        return { ok: false, error: toErrorData(error), retry: { kind: "may" }, logs: [] };
      }
    },
  };
}
