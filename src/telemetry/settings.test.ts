import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../core/errors.ts";
import { readTelemetrySettings } from "./settings.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };

describe("readTelemetrySettings()", () => {
  it("counts and does not trace unless told", () => {
    expect(readTelemetrySettings({ REGISTRY_URL: "x", JOBS: {} })).toEqual({ metrics: true, tracing: undefined });
    expect(readTelemetrySettings({ METRICS: "off", OTEL_EXPORTER_OTLP_ENDPOINT: "" })).toEqual({
      metrics: false,
      tracing: undefined,
    });
  });

  it("reads what OpenTelemetry names", () => {
    const { tracing } = readTelemetrySettings({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc, x-tenant = t1",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_SERVICE_NAME: "ours",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=production",
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
    });
    expect(tracing).toEqual({
      url: "http://127.0.0.1:4318/v1/traces",
      headers: { authorization: "Bearer abc", "x-tenant": "t1" },
      serviceName: "ours",
      resource: { "deployment.environment.name": "production" },
      sampler: "parentbased_traceidratio",
      ratio: 0.25,
    });
  });

  it.each([
    [{ ...ENDPOINT }, "http://127.0.0.1:4318/v1/traces", "parentbased_always_on"],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "https://c.example/base/" },
      "https://c.example/base/v1/traces",
      "parentbased_always_on",
    ],
    [
      { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://c.example/traces?x=1" },
      "https://c.example/traces?x=1",
      "parentbased_always_on",
    ],
    [{ ...ENDPOINT, OTEL_TRACES_SAMPLER: "always_off" }, "http://127.0.0.1:4318/v1/traces", "always_off"],
  ])("of %j posts to %s", (bindings, url, sampler) => {
    expect(readTelemetrySettings(bindings).tracing).toMatchObject({
      url,
      sampler,
      serviceName: "switchyard",
      ratio: 1,
    });
  });

  it("traces nothing when OpenTelemetry is disabled", () => {
    expect(readTelemetrySettings({ ...ENDPOINT, OTEL_SDK_DISABLED: "TRUE" }).tracing).toBeUndefined();
  });

  it.each([
    ["METRICS", { METRICS: "false" }],
    ["OTEL_SDK_DISABLED", { OTEL_SDK_DISABLED: "1" }],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" }],
    ["OTEL_METRICS_EXPORTER", { OTEL_METRICS_EXPORTER: "otlp" }],
    ["OTEL_BSP_MAX_QUEUE_SIZE", { ...ENDPOINT, OTEL_BSP_MAX_QUEUE_SIZE: "1" }],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", { OTEL_EXPORTER_OTLP_ENDPOINT: "127.0.0.1:4317" }],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", { OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://x" }],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://u:s3cr3t@x" }],
    ["OTEL_EXPORTER_OTLP_HEADERS", { ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "s3cr3t" }],
    ["OTEL_EXPORTER_OTLP_HEADERS", { ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "a=s3cr3t%zz" }],
    ["OTEL_EXPORTER_OTLP_HEADERS", { ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "a=s3cr3t%0d%0ab: c" }],
    ["OTEL_EXPORTER_OTLP_HEADERS", { ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "a b=s3cr3t" }],
    ["OTEL_EXPORTER_OTLP_HEADERS", { OTEL_EXPORTER_OTLP_HEADERS: "a=s3cr3t" }],
    ["OTEL_SERVICE_NAME", { OTEL_SERVICE_NAME: "ours" }],
    ["OTEL_TRACES_SAMPLER", { ...ENDPOINT, OTEL_TRACES_SAMPLER: "jaeger_remote" }],
    ["OTEL_TRACES_SAMPLER_ARG", { ...ENDPOINT, OTEL_TRACES_SAMPLER_ARG: "0.5" }],
    ["OTEL_TRACES_SAMPLER_ARG", { ...ENDPOINT, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "half" }],
    ["OTEL_TRACES_SAMPLER_ARG", { ...ENDPOINT, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1.5" }],
  ])("refuses %s in %j by its name, and tells no secret", (name, bindings) => {
    let refused: unknown;
    try {
      readTelemetrySettings(bindings);
    } catch (thrown) {
      refused = thrown;
    }
    expect(refused).toBeInstanceOf(SwitchyardError);
    expect(refused).toMatchObject({
      code: "setting_unsupported",
      message: expect.stringContaining(`"${name}"`) as string,
    });
    expect(String(refused)).not.toContain("s3cr3t");
  });
});
