/**
 * Who may do what with an execution: its own principal everything; readers of the registry read all, writers cancel and
 * replay all. Whoever may not even read it is told the same as for an id that does not exist.
 */
import { SwitchyardError } from "../../core/errors.ts";
import type { ExecutionView } from "../../model/execution.ts";
import { allows, mayControl } from "../../model/principal.ts";
import type { RouteContext } from "../context.ts";

/** The execution in the path. Throws entity_not_found. */
export async function readable(context: RouteContext): Promise<ExecutionView> {
  const id = idOf(context);
  const view = await context.var.platform.executions.find(id);
  if (view === undefined || !mayRead(context, view)) throw unknownExecution(id);
  return view;
}

/** The same for one that is to be cancelled or replayed. Throws forbidden besides, to those who may read it. */
export async function controllable(context: RouteContext): Promise<ExecutionView> {
  const view = await readable(context);
  const { principal } = context.var.identity;
  if (mayControl(principal, view)) return view;
  throw new SwitchyardError(
    "forbidden",
    `Cannot change the execution "${view.id}": another principal's needs the scope registry:write; the token "${principal.name}" has ${principal.scopes.join(", ")}`,
  );
}

export function mayRead(context: RouteContext, view: ExecutionView): boolean {
  const { principal } = context.var.identity;
  return view.principal === principal.id || allows(principal, "registry:read");
}

export function idOf(context: RouteContext): string {
  return context.req.param("id") ?? "";
}

export function unknownExecution(id: string): SwitchyardError {
  return new SwitchyardError(
    "entity_not_found",
    `Cannot find the execution "${id.slice(0, 100)}": there is none of that id, it is no longer kept, or it is another principal's`,
    { hint: "opctl get executions lists them; the record of a synchronous call comes within a second of its answer" },
  );
}
