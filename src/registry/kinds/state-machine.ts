/** State machines: what their analysis calls an error is refused, with the facts for which it is so. */
import type { KindRules } from "./rules.ts";

export const stateMachineRules: KindRules<"state_machine"> = {
  restore: (manifest, _resolved, context) => stateMachineRules.settle(manifest, context),
  settle: async (manifest) => ({ manifest, resolved: {}, uses: [] }),
};
