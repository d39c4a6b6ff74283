/**
 * GET /health: whether the platform answers, and whether its registry does. Says nothing else to a stranger, and asks the
 * database at most once a second however often strangers ask.
 */
import type { RouteContext } from "../context.ts";

const GOOD_FOR_MS = 1_000;
let goodAt = Number.NEGATIVE_INFINITY;

export async function health(context: RouteContext): Promise<Response> {
  const { registry, version } = context.var.platform;
  const now = Date.now();
  try {
    if (Math.abs(now - goodAt) > GOOD_FOR_MS) {
      await registry.revision();
      goodAt = now;
    }
    return Response.json({ status: "ok", registry: "ok", version });
  } catch {
    return Response.json({ status: "degraded", registry: "unavailable", version }, { status: 503 });
  }
}
