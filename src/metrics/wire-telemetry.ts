/** Puts telemetry together as the settings say: what does the counting, what makes spans, what answers /metrics. */
import { SwitchyardError } from "../core/errors.ts";
import { noteSecrets } from "../core/redact.ts";
import { randomId } from "../core/ids.ts";
import { Exporter } from "../telemetry/exporter.ts";
import type { Meter } from "../telemetry/meter.ts";
import { exposition } from "../telemetry/prometheus.ts";
import { createSampler } from "../telemetry/sampler.ts";
import type { TelemetrySettings, TracingSettings } from "../telemetry/settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTracer, type Tracer } from "../telemetry/tracer.ts";
import { readGauges, type GaugePorts } from "./gauges.ts";
import { Reporter, type BoardNamespace } from "./reporter.ts";

export type TelemetryPorts = {
  board: BoardNamespace;
  gauges: GaugePorts;
  /** fetch to where the collector is. */
  send: (request: Request) => Promise<Response>;
  /** Keeps work alive that nobody waits for (waitUntil). */
  background: (work: Promise<void>) => void;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  version: string;
};

export type WiredTelemetry = {
  /** undefined: nobody wants any, and it costs nothing. */
  telemetry: Telemetry | undefined;
  exposition: (() => Promise<string>) | undefined;
};

export function wireTelemetry({ metrics, tracing }: TelemetrySettings, ports: TelemetryPorts): WiredTelemetry {
  if (!metrics && tracing === undefined) return { telemetry: undefined, exposition: undefined };
  const reporter = metrics ? new Reporter({ namespace: ports.board, ...ports }) : undefined;
  const meter = reporter?.meter;
  const tracer = tracing === undefined ? undefined : wireTracer(tracing, meter, ports);
  return {
    telemetry: { meter, tracer },
    exposition:
      reporter === undefined
        ? undefined
        : async () => {
            const [series, gauges] = await Promise.all([reporter.read().catch(unreadable), readGauges(ports.gauges)]);
            return exposition(series, gauges);
          },
  };
}

function wireTracer(tracing: TracingSettings, meter: Meter | undefined, ports: TelemetryPorts): Tracer {
  const { url, headers, serviceName, resource, sampler, ratio } = tracing;
  const { version, now } = ports;
  noteSecrets(Object.values(headers));
  const exporter = new Exporter({
    ...ports,
    url,
    headers,
    resource: {
      ...resource,
      "service.name": serviceName,
      "service.version": version,
      "service.instance.id": randomId(16),
      "telemetry.sdk.name": "switchyard",
      "telemetry.sdk.language": "webjs",
      "telemetry.sdk.version": version,
    },
    random: Math.random,
    exported: (count) => meter?.add("spans_exported", count),
    dropped: (count, reason) => meter?.add("spans_dropped", count, reason),
  });
  return createTracer({ sampler: createSampler(sampler, ratio), take: (span) => exporter.take(span), now });
}

function unreadable(cause: unknown): never {
  throw new SwitchyardError("state_unavailable", "Cannot read the counters: their object must answer; it does not", {
    cause,
  });
}
