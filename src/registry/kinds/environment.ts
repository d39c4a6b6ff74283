/** Environments: the adapter must be one that is wired, and must act on the configuration. */
import { nearest, refuse, type KindRules } from "./rules.ts";

export const environmentRules: KindRules<"environment"> = {
  // Nothing is resolved here, so bringing a revision back is writing it again.
  restore: (manifest, _resolved, context) => environmentRules.settle(manifest, context),
  async settle(manifest, { ports }) {
    if (!ports.adapters.includes(manifest.adapter)) {
      throw refuse(
        "definition_invalid",
        "/adapter",
        `Cannot store the environment "${manifest.name}": its adapter must be installed; installed are ${ports.adapters.join(", ")}`,
        nearest(manifest.adapter, ports.adapters),
      );
    }
    if (Object.keys(manifest.config).length > 0) {
      throw refuse(
        "setting_unsupported",
        "/config",
        `Cannot store the environment "${manifest.name}": the adapter "${manifest.adapter}" takes no configuration; it has ${Object.keys(manifest.config).join(", ")}`,
      );
    }
    return { manifest, resolved: {}, uses: [] };
  },
};
