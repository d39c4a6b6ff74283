/**
 * What an installation says about telemetry, read from its bindings: METRICS, and the variables that OpenTelemetry names.
 * Whatever would have no effect is refused by name, so that nobody believes in it.
 */
import { SwitchyardError } from "../core/errors.ts";
import { SAMPLERS, type SamplerName } from "./sampler.ts";

export type TracingSettings = {
  /** Where spans are posted to. */
  url: string;
  /** Secret. */
  headers: Readonly<Record<string, string>>;
  serviceName: string;
  resource: Readonly<Record<string, string>>;
  sampler: SamplerName;
  ratio: number;
};

export type TelemetrySettings = { metrics: boolean; tracing: TracingSettings | undefined };

const SUPPORTED = [
  "OTEL_SDK_DISABLED",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_HEADERS",
  "OTEL_EXPORTER_OTLP_PROTOCOL",
  "OTEL_SERVICE_NAME",
  "OTEL_RESOURCE_ATTRIBUTES",
  "OTEL_TRACES_SAMPLER",
  "OTEL_TRACES_SAMPLER_ARG",
] as const;
type Name = (typeof SUPPORTED)[number];

/** Throws setting_unsupported. An empty variable counts as none, as OpenTelemetry says. */
export function readTelemetrySettings(bindings: object): TelemetrySettings {
  const all = bindings as Record<string, unknown>;
  const given = (name: string): string | undefined => {
    const value = all[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const metrics = given("METRICS") ?? "on";
  if (metrics !== "on" && metrics !== "off") throw refused("METRICS", "it must be on or off", metrics);
  for (const name of Object.keys(all)) {
    if (name.startsWith("OTEL_") && !SUPPORTED.some((each) => each === name) && given(name) !== undefined) {
      throw refused(name, `of OpenTelemetry's variables these have an effect: ${SUPPORTED.join(", ")}`, "another");
    }
  }
  return { metrics: metrics === "on", tracing: readTracing(given) };
}

function readTracing(given: (name: Name) => string | undefined): TracingSettings | undefined {
  const disabled = given("OTEL_SDK_DISABLED") ?? "false";
  if (!/^(?:true|false)$/i.test(disabled)) throw refused("OTEL_SDK_DISABLED", "it must be true or false", disabled);
  const protocol = given("OTEL_EXPORTER_OTLP_PROTOCOL") ?? "http/json";
  if (protocol !== "http/json") throw refused("OTEL_EXPORTER_OTLP_PROTOCOL", "only http/json is spoken", protocol);
  const own = given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const base = given("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (disabled.toLowerCase() === "true") return undefined;
  if (own === undefined && base === undefined) {
    const idle = SUPPORTED.slice(3).find((name) => name !== "OTEL_EXPORTER_OTLP_PROTOCOL" && given(name) !== undefined);
    if (idle === undefined) return undefined;
    throw refused(idle, "it has an effect only with OTEL_EXPORTER_OTLP_ENDPOINT", "set without it");
  }
  const url =
    own === undefined
      ? endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", base ?? "")
      : endpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own);
  const { sampler, ratio } = readSampler(given);
  return {
    // The general endpoint is a base, the one of a signal is the whole address.
    url: own === undefined ? `${url.href.replace(/\/+$/, "")}/v1/traces` : url.href,
    headers: pairs("OTEL_EXPORTER_OTLP_HEADERS", given("OTEL_EXPORTER_OTLP_HEADERS"), HEADER),
    serviceName: given("OTEL_SERVICE_NAME") ?? "switchyard",
    resource: pairs("OTEL_RESOURCE_ATTRIBUTES", given("OTEL_RESOURCE_ATTRIBUTES"), ATTRIBUTE),
    sampler,
    ratio,
  };
}

function readSampler(given: (name: Name) => string | undefined): { sampler: SamplerName; ratio: number } {
  const text = given("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on";
  const sampler = SAMPLERS.find((name) => name === text);
  if (sampler === undefined) throw refused("OTEL_TRACES_SAMPLER", `it must be one of ${SAMPLERS.join(", ")}`, text);
  const argument = given("OTEL_TRACES_SAMPLER_ARG");
  if (argument === undefined) return { sampler, ratio: 1 };
  if (!sampler.endsWith("traceidratio")) {
    throw refused("OTEL_TRACES_SAMPLER_ARG", "only samplers by ratio take one", `set with ${sampler}`);
  }
  const ratio = Number(argument);
  if (!(ratio >= 0 && ratio <= 1))
    throw refused("OTEL_TRACES_SAMPLER_ARG", "it must be a number from 0 to 1", argument);
  return { sampler, ratio };
}

/** The address itself is not repeated where it may hold credentials. */
function endpoint(name: Name, text: string): URL {
  const url = URL.parse(text);
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== "" ||
    url.password !== "" ||
    url.hash !== ""
  ) {
    throw refused(name, "it must be an http or https address without credentials", url === null ? "none" : "another");
  }
  return url;
}

const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const ATTRIBUTE = /^[^\s]+$/;

/** `key=value,key=value`, values percent-encoded. What is wrong is named, not shown: it may be a secret. */
function pairs(name: Name, text: string | undefined, key: RegExp): Record<string, string> {
  const read: Record<string, string> = {};
  for (const [place, pair] of (text ?? "").split(",").entries()) {
    if (pair.trim() === "") continue;
    const equals = pair.indexOf("=");
    const word = pair.slice(0, equals).trim();
    const value = equals < 1 || !key.test(word) ? undefined : decoded(pair.slice(equals + 1).trim());
    if (value === undefined || /[\r\n\0]/.test(value))
      throw refused(name, "it must be key=value pairs with commas between", `none in place ${place + 1}`);
    read[word] = value;
  }
  return read;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function refused(name: string, rule: string, isNow: string): SwitchyardError {
  return new SwitchyardError("setting_unsupported", `Cannot use the setting "${name}": ${rule}; it is ${isNow}`, {
    hint: "docs/telemetry.md names the settings of telemetry",
  });
}
