/** GET /health: whether the platform answers, and whether its registry does. Says nothing else to a stranger. */
import type { RouteContext } from "../context.ts";

export async function health(context: RouteContext): Promise<Response> {
  const { registry, version } = context.var.platform;
  try {
    await registry.revision();
    return Response.json({ status: "ok", registry: "ok", version });
  } catch {
    return Response.json({ status: "degraded", registry: "unavailable", version }, { status: 503 });
  }
}
