/** May this principal invoke this operation? A built-in asks for its own scope besides, wherever its row is called. */
import { SwitchyardError } from "../core/errors.ts";
import { allows, type Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";

/** Throws `forbidden`, or `operation_inactive` — in this order, so that a stranger learns nothing of the state. */
export function authorize(operation: ResolvedOperation, principal: Principal): void {
  if (!allows(principal, `ops:invoke:${operation.group}`)) {
    throw new SwitchyardError(
      "forbidden",
      `Cannot call "${operation.name}": it needs the scope ops:invoke or ops:invoke:${operation.group}; ` +
        `the token "${principal.name}" has ${principal.scopes.join(", ")}`,
    );
  }
  if (!operation.active) {
    throw new SwitchyardError("operation_inactive", `Cannot call "${operation.name}": its row says active: false`, {
      hint: `opctl edit operation ${operation.name} -s active=true`,
    });
  }
}
