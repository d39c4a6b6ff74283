/** Exposures: the service that they lead to is there, and what stands before each path is a path. */
import { parseRequestPath } from "../../model/request-path.ts";
import { named, refuse, type KindRules } from "./rules.ts";

export const exposureRules: KindRules<"exposure"> = {
  restore: (manifest, _resolved, context) => exposureRules.settle(manifest, context),
  async settle(manifest, { draft }) {
    const { name, service, base_path: basePath } = manifest;
    const parsed = parseRequestPath(basePath);
    const isPath = "parts" in parsed && !/[?#\s{}]/.test(basePath);
    if (!isPath) {
      throw refuse(
        "definition_invalid",
        "/base_path",
        `Cannot store the exposure "${name}": base_path must be a path, without a query, braces or segments . and ..; it is "${basePath}"`,
      );
    }
    await named(draft, "service", service, "/service");
    return { manifest, resolved: {}, uses: [{ kind: "service", name: service, written: true }] };
  },
};
