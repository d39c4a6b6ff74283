/** The adapter `gcp-run`: our host as a Cloud Run service, and services or functions of the team's; by Google's ID tokens. */
import * as v from "valibot";
import type { Adapter, AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import { checkPlace, hostHeaders, invokeOverHttp } from "../http/http.ts";
import type { HttpPlace } from "../http/http-call.ts";
import { maxBodyBytes, network, origins, plainUrl } from "../http/settings.ts";
import { GOOGLE_AUTH, GOOGLE_SECRETS, googleAuth } from "./google-auth.ts";

const ConfigSchema = v.strictObject({
  url: v.optional(plainUrl),
  origins,
  /** Whom the ID token is for, where it is not the address itself: of a service with a domain of its own. */
  audience: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(2048))),
  ...GOOGLE_AUTH,
  max_body_bytes: maxBodyBytes,
  network,
});

export function gcpRunAdapter(ports: AdapterPorts): Adapter {
  const tokenFor = googleAuth(() => ports.now());
  const placeOf = async (environment: EnvironmentHandle): Promise<HttpPlace> => {
    const config = v.parse(ConfigSchema, environment.config);
    const secrets = await environment.openSecrets();
    const send = ports.fetchOn(config.network);
    const { name } = environment;
    return {
      name,
      send,
      url: config.url,
      origins: config.origins,
      authorize: ({ url, ...how }) => {
        const { origin } = new URL(url);
        const own = config.url !== undefined && new URL(config.url).origin === origin;
        // An identity for one service must be of no use at another.
        const audience = own ? (config.audience ?? config.url ?? origin) : origin;
        return tokenFor({ name, send, secrets, config }, audience, how);
      },
      hostHeaders: hostHeaders(secrets),
      maxBytes: config.max_body_bytes,
    };
  };
  return {
    name: "gcp-run",
    summary: "Our host on Cloud Run, and services and functions that the team has on Google Cloud",
    config: ConfigSchema,
    secrets: {
      host_secret: { required: false, summary: "What our host knows the platform by" },
      ...GOOGLE_SECRETS,
    },
    runs: ["module", "http"],
    invoke: (call) => invokeOverHttp(call, placeOf, ports),
    check: (environment) => checkPlace(() => placeOf(environment), ports),
  };
}
