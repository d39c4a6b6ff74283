/**
 * The SDK's client, kept from what it would do by itself: requests leave by the platform's port, credentials are the
 * row's, nothing is tried again. One client per row and credentials.
 */
import { LambdaClient, type LambdaClientConfig } from "@aws-sdk/client-lambda";
import type { AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import type { LambdaConfig } from "./config.ts";

type Handler = Extract<NonNullable<LambdaClientConfig["requestHandler"]>, { handle: unknown }>;
type Fetch = (request: Request) => Promise<Response>;

/** The SDK names no type for what a handler is given; this much of it is used. */
type SentRequest = {
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  method: string;
  headers: Record<string, string>;
  query?: Record<string, string | string[] | null>;
  body?: string | Uint8Array<ArrayBuffer>;
};

const CLIENTS_MOST = 64;
/** fetch sets these itself, to the values that were signed. */
const SET_BY_FETCH = new Set(["host", "content-length"]);

export type Clients = (environment: EnvironmentHandle, config: LambdaConfig) => Promise<LambdaClient>;

export function createClients(ports: Pick<AdapterPorts, "fetchOn">): Clients {
  const clients = new Map<string, LambdaClient>();
  return async (environment, config) => {
    const secrets = await environment.openSecrets();
    const { access_key_id: accessKeyId = "", secret_access_key: secretAccessKey = "", session_token: token } = secrets;
    const key = JSON.stringify([environment.digest, accessKeyId, secretAccessKey, token]);
    const known = clients.get(key);
    if (known !== undefined) return known;
    const client = new LambdaClient({
      region: config.region,
      ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
      credentials: { accessKeyId, secretAccessKey, ...(token === undefined ? {} : { sessionToken: token }) },
      maxAttempts: 1,
      requestHandler: handlerOn(ports.fetchOn(config.network)),
    });
    // The oldest goes: credentials that were replaced are not used again.
    const [oldest] = clients.keys();
    if (clients.size >= CLIENTS_MOST && oldest !== undefined) clients.delete(oldest);
    clients.set(key, client);
    return client;
  };
}

function handlerOn(send: Fetch): Handler {
  const handler = {
    async handle(request: SentRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) {
      const { method, headers, body } = request;
      const response = await send(
        new Request(addressOf(request), {
          method,
          headers: Object.entries(headers).filter(([name]) => !SET_BY_FETCH.has(name.toLowerCase())),
          ...(body === undefined ? {} : { body }),
          ...(abortSignal === undefined ? {} : { signal: abortSignal }),
        }),
      );
      return {
        response: {
          statusCode: response.status,
          headers: Object.fromEntries(response.headers),
          body: new Uint8Array(await response.arrayBuffer()),
        },
      };
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
    destroy: () => undefined,
  };
  return handler as unknown as Handler;
}

function addressOf({ protocol, hostname, port, path, query = {} }: SentRequest): string {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
  for (const [name, values] of Object.entries(query)) {
    for (const value of [values ?? ""].flat()) url.searchParams.append(name, value);
  }
  return url.href;
}
