/** What services are at and what is wanted of them: the built-in functions behind routes of their own. */
import { SwitchyardError } from "../../core/errors.ts";
import { readJson } from "../body.ts";
import type { RouteContext } from "../context.ts";
import { follow } from "../follow.ts";

export function serviceStatus(context: RouteContext): Promise<Response> {
  return answer(context, "observe_service", named(context));
}

export function serviceProgress(context: RouteContext): Promise<Response> {
  return answer(context, "observe_service_progress", named(context));
}

export function serviceEvents(context: RouteContext): Promise<Response> {
  const { identity, platform } = context.var;
  const { name } = named(context);
  return follow(context, {
    check: () => platform.runBuiltin("observe_service", { name }, identity.principal),
    watch: async (options) => {
      const events = await platform.services.watch(name, options);
      return events.map(({ seq, at, what }) => ({ seq, at, what, type: "happened" }));
    },
  });
}

export function deployService(context: RouteContext): Promise<Response> {
  return answer(context, "deploy_service", named(context));
}

export function undeployService(context: RouteContext): Promise<Response> {
  return answer(context, "undeploy_service", named(context));
}

export function restartService(context: RouteContext): Promise<Response> {
  return answer(context, "restart_service", named(context));
}

/** The name stands in the path and nowhere else. */
export async function scaleService(context: RouteContext): Promise<Response> {
  const { value } = await readJson(context.req.raw);
  if (typeof value !== "object" || value === null || Array.isArray(value) || "name" in value) {
    throw new SwitchyardError(
      "bad_request",
      `Cannot read the body: it must be a JSON object without "name", which stands in the path; it is not`,
      { hint: 'such as {"replicas": 3}' },
    );
  }
  return answer(context, "scale_service", { ...value, ...named(context) });
}

function named(context: RouteContext): { name: string } {
  return { name: context.req.param("name") ?? "" };
}

async function answer(context: RouteContext, name: string, input: unknown): Promise<Response> {
  const { identity, platform } = context.var;
  const { output } = await platform.runBuiltin(name, input, identity.principal);
  return Response.json(output, { headers: { "cache-control": "no-store" } });
}
