/**
 * Which operations a client sees as tools: those that its token may invoke, narrowed by the address that it connected to.
 * What is not seen cannot be called here either, so an address bounds what an agent can be talked into.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { NAME_PATTERN } from "../../model/names.ts";
import { allows, type Principal } from "../../model/principal.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import { builtinOf, BUILTINS } from "../../registry/builtins/definitions.ts";
import type { Selection } from "../../registry/select.ts";

/** `builtins`: also the platform's own functions under their own names, which would outnumber most teams' tools. */
export type View = { groups: readonly string[] | undefined; builtins: boolean };

/** `?group=NAME`, any number of them, and `?builtins=true`. Whoever names a group wants all of it. */
export function parseView(url: string): View {
  const query = new URL(url).searchParams;
  const groups = query.getAll("group");
  for (const group of groups) if (!NAME_PATTERN.test(group)) throw refuse("group", "a name", group);
  const builtins = query.get("builtins");
  if (builtins !== null && builtins !== "true" && builtins !== "false")
    throw refuse("builtins", "true or false", builtins);
  return { groups: groups.length === 0 ? undefined : groups, builtins: builtins === "true" || groups.length > 0 };
}

export function selectionOf(view: View, principal: Principal): Selection {
  const own = groupsOf(principal);
  const groups = own === undefined ? view.groups : (view.groups?.filter((group) => own.includes(group)) ?? own);
  const functions = Object.values(BUILTINS).filter(({ scope }) => allows(principal, scope));
  return { groups, functions: functions.map(({ name }) => name), builtins: view.builtins };
}

/** Whether it is among the tools; the same rule as that of a selection, for an operation that is named. */
export function isSeen(operation: ResolvedOperation, view: View, principal: Principal): boolean {
  const { name, group, active, implementation } = operation;
  if (!active || !allows(principal, `ops:invoke:${group}`)) return false;
  if (view.groups !== undefined && !view.groups.includes(group)) return false;
  if (implementation.kind !== "builtin") return true;
  const builtin = builtinOf(implementation.function);
  return builtin !== undefined && allows(principal, builtin.scope) && (view.builtins || builtin.name !== name);
}

/** undefined: all. */
function groupsOf(principal: Principal): readonly string[] | undefined {
  if (allows(principal, "ops:invoke")) return undefined;
  return principal.scopes.flatMap((scope) =>
    scope.startsWith("ops:invoke:") ? [scope.slice("ops:invoke:".length)] : [],
  );
}

function refuse(parameter: string, rule: string, actual: string): SwitchyardError {
  return new SwitchyardError(
    "bad_request",
    `Cannot read the parameter ${parameter}: it must be ${rule}; it is "${actual.slice(0, 100)}"`,
  );
}
