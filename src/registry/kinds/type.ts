/** Types. An edit of one is an edit of everything that names it. */
import type { KindRules } from "./rules.ts";
import { ripple } from "./ripple.ts";
import { originOf, sameDefinition, settleType, type TypeResolution } from "./type-row.ts";

export const typeRules: KindRules<"type"> = {
  async settle(manifest, { draft, before }) {
    // Whoever changes what a module said takes the type over: the module may not change it back.
    const module = before !== undefined && sameDefinition(before, manifest) ? originOf(before) : null;
    return settleType(draft, manifest, module);
  },
  async restore(manifest, resolved) {
    const { names } = resolved as TypeResolution;
    return { manifest, resolved, uses: names.map((name) => ({ kind: "type", name, written: true })) };
  },
  async follow(row, { draft }) {
    await ripple(draft, row.name);
  },
};
