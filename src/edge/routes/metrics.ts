/** GET /metrics: counters, histograms and gauges for Prometheus. */
import { SwitchyardError } from "../../core/errors.ts";
import { PROMETHEUS_TYPE } from "../../telemetry/prometheus.ts";
import type { RouteContext } from "../context.ts";

export async function metrics(context: RouteContext): Promise<Response> {
  const { exposition } = context.var.platform;
  if (exposition === undefined) {
    throw new SwitchyardError("route_not_found", "Cannot GET /metrics: the setting METRICS must be on; it is off");
  }
  return new Response(await exposition(), {
    headers: { "content-type": PROMETHEUS_TYPE, "cache-control": "no-store" },
  });
}
