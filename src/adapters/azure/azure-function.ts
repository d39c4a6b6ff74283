/** The adapter `azure-function`: our host as a custom handler, and functions that the team has; by key or Entra token. */
import * as v from "valibot";
import { sha256 } from "../../core/hash.ts";
import { unstarted, type Adapter, type AdapterPorts, type EnvironmentHandle } from "../adapter.ts";
import { checkPlace, hostHeaders, invokeOverHttp } from "../http/http.ts";
import type { Authorize, HttpPlace } from "../http/http-call.ts";
import { maxBodyBytes, network, origins, plainUrl } from "../http/settings.ts";
import { tokenCache } from "../http/tokens.ts";

const word = v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,128}$/));

const ConfigSchema = v.strictObject({
  url: v.optional(plainUrl),
  origins,
  /** `key`: the secret function_key. `entra`: a client's own token. */
  auth: v.optional(v.picklist(["key", "entra"]), "key"),
  tenant_id: v.optional(word),
  client_id: v.optional(word),
  /** As Entra names it: api://ID/.default */
  scope: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(512))),
  /** Of another cloud than the public one. */
  token_url: v.optional(plainUrl),
  max_body_bytes: maxBodyBytes,
  network,
});
type Config = v.InferOutput<typeof ConfigSchema>;

export function azureFunctionAdapter(ports: AdapterPorts): Adapter {
  const tokens = tokenCache(() => ports.now());
  const authorizer = (config: Config, secrets: Readonly<Record<string, string>>, name: string): Authorize => {
    const lacks = (what: string) => ({
      refused: unstarted(
        "environment_refused",
        `Cannot call "${name}": config.auth "${config.auth}" needs ${what}; it is not set`,
      ),
    });
    return async ({ renew, signal }) => {
      if (config.auth === "key") {
        const key = secrets["function_key"];
        return key === undefined ? lacks("the secret function_key") : { headers: { "x-functions-key": key } };
      }
      const { tenant_id: tenant, client_id: client, scope } = config;
      const secret = secrets["client_secret"];
      if (tenant === undefined || client === undefined || scope === undefined) {
        return lacks("config.tenant_id, config.client_id and config.scope");
      }
      if (secret === undefined) return lacks("the secret client_secret");
      const url = config.token_url ?? `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`;
      const form = { grant_type: "client_credentials", client_id: client, client_secret: secret, scope };
      const sending = { send: ports.fetchOn(config.network), renew, name, ...(signal === undefined ? {} : { signal }) };
      const key = await sha256(JSON.stringify([url, form]));
      return await tokens.headers(key, sending, () => Promise.resolve({ url, form, member: "access_token" }));
    };
  };
  const placeOf = async (environment: EnvironmentHandle): Promise<HttpPlace> => {
    const config = v.parse(ConfigSchema, environment.config);
    const secrets = await environment.openSecrets();
    return {
      name: environment.name,
      send: ports.fetchOn(config.network),
      url: config.url,
      origins: config.origins,
      authorize: authorizer(config, secrets, environment.name),
      hostHeaders: hostHeaders(secrets),
      maxBytes: config.max_body_bytes,
    };
  };
  return {
    name: "azure-function",
    summary: "Our host as a custom handler of Azure Functions, and functions that the team has",
    config: ConfigSchema,
    secrets: {
      host_secret: { required: false, summary: "What our host knows the platform by" },
      function_key: { required: false, summary: "A function or host key, for config.auth key" },
      client_secret: { required: false, summary: "The client's secret, for config.auth entra" },
    },
    runs: ["module", "http"],
    invoke: (call) => invokeOverHttp(call, placeOf, ports),
    check: (environment) => checkPlace(() => placeOf(environment), ports),
  };
}
