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
  // Unlike an operation, a type that comes back is closed anew: what it names is as it is now, so that whoever reaches it
  // through another type sees the same as whoever names it.
  restore: (manifest, resolved, { draft }) => settleType(draft, manifest, (resolved as TypeResolution).module),
  async follow(row, { draft }) {
    await ripple(draft, row.name);
  },
};
