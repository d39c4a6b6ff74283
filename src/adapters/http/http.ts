/** The adapter `http`: our host behind an address, and services that the team has. */
import * as v from "valibot";
import type { Implementation } from "../../model/resolved.ts";
import {
  outcomeOfThrown,
  unstarted,
  type Adapter,
  type AdapterCall,
  type AdapterPorts,
  type EnvironmentHandle,
} from "../adapter.ts";
import { checkHttp } from "./check-http.ts";
import { callHost, callService, type HttpPlace } from "./http-call.ts";
import { httpServices } from "./http-services.ts";
import { maxBodyBytes, network, origins, plainUrl } from "./settings.ts";

const ConfigSchema = v.strictObject({
  /** Where our host is, and what services written as a path are under. */
  url: v.optional(plainUrl),
  /** Other origins whose services get the credentials. */
  origins,
  auth: v.optional(v.picklist(["none", "bearer", "header"]), "none"),
  /** The header that carries the secret `token`, with auth "header". */
  header: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9-]{0,127}$/)), "x-api-key"),
  max_body_bytes: maxBodyBytes,
  network,
});

export function httpAdapter(ports: AdapterPorts): Adapter {
  const placeOf = async (environment: EnvironmentHandle): Promise<HttpPlace> => {
    const config = v.parse(ConfigSchema, environment.config);
    const secrets = await environment.openSecrets();
    const headers = credentials(config, secrets["token"], environment.name);
    return {
      name: environment.name,
      send: ports.fetchOn(config.network),
      url: config.url,
      origins: config.origins,
      ...(headers === undefined ? {} : { authorize: () => Promise.resolve(headers) }),
      hostHeaders: hostHeaders(secrets),
      maxBytes: config.max_body_bytes,
    };
  };
  return {
    name: "http",
    summary: "Our host behind an address, and HTTP services that the team has",
    config: ConfigSchema,
    secrets: {
      host_secret: { required: false, summary: "What our host knows the platform by" },
      token: { required: false, summary: "The bearer token, or the header's value, for config.auth" },
    },
    runs: ["module", "http"],
    invoke: (call) => invokeOverHttp(call, placeOf, ports),
    check: async (environment) => checkPlace(() => placeOf(environment), ports),
    services: httpServices(placeOf, ports),
  };
}

/** Sends a call to our host or to the team's service, whichever its implementation is. Never throws. */
export async function invokeOverHttp(
  call: AdapterCall,
  placeOf: (environment: EnvironmentHandle) => Promise<HttpPlace>,
  ports: AdapterPorts,
) {
  let place: HttpPlace;
  try {
    place = await placeOf(call.environment);
  } catch (thrown) {
    const outcome = outcomeOfThrown(thrown);
    return outcome.ok ? outcome : { ...outcome, unstarted: true as const };
  }
  const implementation: Implementation = call.operation.implementation;
  if (implementation.kind === "http") return await callService(call, implementation, place, ports);
  if (implementation.kind === "module") return await callHost(call, place, ports);
  return unstarted(
    "no_environment",
    `Cannot run "${call.operation.name}" in "${place.name}": its implementation must be a module or a service; it is ${implementation.kind}`,
    { retry: { kind: "never" } },
  );
}

export async function checkPlace(placeOf: () => Promise<HttpPlace>, ports: AdapterPorts) {
  try {
    return await checkHttp(await placeOf(), () => ports.now());
  } catch (thrown) {
    const outcome = outcomeOfThrown(thrown);
    const missing = outcome.ok ? [] : [outcome.error.detail];
    return { reachable: false, allowed: null, latency_ms: null, missing, facts: {} };
  }
}

export function hostHeaders(secrets: Readonly<Record<string, string>>): Record<string, string> {
  const secret = secrets["host_secret"];
  return secret === undefined ? {} : { "switchyard-host-secret": secret };
}

type Config = v.InferOutput<typeof ConfigSchema>;
type Given = { headers: Record<string, string> } | { refused: ReturnType<typeof unstarted> };

function credentials({ auth, header }: Config, token: string | undefined, name: string): Given | undefined {
  if (auth === "none") return undefined;
  if (token === undefined) {
    const detail = `Cannot call "${name}": config.auth "${auth}" needs the secret token; it is not set`;
    return { refused: unstarted("environment_refused", detail) };
  }
  return { headers: auth === "bearer" ? { authorization: `Bearer ${token}` } : { [header]: token } };
}
