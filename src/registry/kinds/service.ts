/** Services: what their rows name is there, and their rights are never more than their writer's. */
import { named, type KindRules } from "./rules.ts";
import { checkScopes } from "./trigger.ts";

export const serviceRules: KindRules<"service"> = {
  restore: (manifest, _resolved, context) => serviceRules.settle(manifest, context),
  async settle(manifest, context) {
    checkScopes("service", manifest, context);
    await named(context.draft, "environment", manifest.environment, "/environment");
    await named(context.draft, "state_machine", manifest.state_machine, "/state_machine");
    const uses = [
      { kind: "environment", name: manifest.environment, written: true },
      { kind: "state_machine", name: manifest.state_machine, written: true },
    ] as const;
    return { manifest, resolved: {}, uses: [...uses] };
  },
};
