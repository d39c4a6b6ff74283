/** A look at an environment: the built-in function behind a route of its own. */
import type { RouteContext } from "../context.ts";

export async function checkEnvironment(context: RouteContext): Promise<Response> {
  const { identity, platform } = context.var;
  const input = { name: context.req.param("name") ?? "" };
  const { output } = await platform.runBuiltin("check_environment", input, identity.principal);
  return Response.json(output);
}
