/** Cancelling and replaying executions. */
import { SwitchyardError } from "../../core/errors.ts";
import { authorize } from "../../dispatch/authorize.ts";
import type { ExecutionView } from "../../model/execution.ts";
import { readJson } from "../body.ts";
import type { RouteContext } from "../context.ts";
import { traceOf } from "../traced.ts";
import { accepted } from "./_accepted.ts";
import { controllable, unknownExecution } from "./_access.ts";

export async function cancelExecution(context: RouteContext): Promise<Response> {
  const { id } = await controllable(context);
  const view = await context.var.platform.executions.cancel(id);
  if (view === undefined) throw unknownExecution(id);
  return Response.json(view, { headers: { "cache-control": "no-store" } });
}

/** A new execution with the same input. To start one, its operation must be callable by who asks, now. */
export async function replayExecution(context: RouteContext): Promise<Response> {
  const { platform, identity } = context.var;
  const view = await controllable(context);
  const revision = revisionOf((await readJson(context.req.raw)).value);
  await authorizeReplay(context, view, revision);
  const id = await platform.executions.replay(view.id, {
    revision,
    principal: identity.principal,
    ...traceOf(context),
  });
  if (id === undefined) throw unknownExecution(view.id);
  return accepted(id);
}

async function authorizeReplay(
  { var: { platform, identity } }: RouteContext,
  view: ExecutionView,
  revision: number | "latest" | "same",
): Promise<void> {
  const pinned = revision === "same" ? view.revision : revision;
  const { operation } = await platform.registry.resolve(
    view.operation,
    pinned === "latest" ? {} : { revision: pinned },
  );
  authorize(operation, identity.principal);
}

/** `{}` or `{"revision": 3 | "latest"}`. */
function revisionOf(body: unknown): number | "latest" | "same" {
  if (body !== null && typeof body === "object" && !Array.isArray(body)) {
    const { revision, ...others } = body as Record<string, unknown>;
    const positive = typeof revision === "number" && Number.isSafeInteger(revision) && revision > 0;
    if (Object.keys(others).length === 0) {
      if (revision === undefined) return "same";
      if (revision === "latest" || positive) return revision;
    }
  }
  throw new SwitchyardError(
    "bad_request",
    `Cannot replay: the body must be {} or {"revision": a revision's number or "latest"}; it is ${JSON.stringify(body).slice(0, 200)}`,
  );
}
