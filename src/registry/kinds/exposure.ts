/** Exposures: the service that they lead to is there. */
import { named, type KindRules } from "./rules.ts";

export const exposureRules: KindRules<"exposure"> = {
  restore: (manifest, _resolved, context) => exposureRules.settle(manifest, context),
  async settle(manifest, { draft }) {
    await named(draft, "service", manifest.service, "/service");
    return { manifest, resolved: {}, uses: [{ kind: "service", name: manifest.service, written: true }] };
  },
};
