/**
 * The SDK's client, kept from what it would do by itself: requests leave by the platform's port, credentials are the
 * row's, nothing is tried again. One client per environment, of the credentials that it has now.
 */
import { LambdaClient, type LambdaClientConfig } from "@aws-sdk/client-lambda";
import { SwitchyardError } from "../../core/errors.ts";
import type { AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import { exchange, type Exchanged, type Send } from "../http/exchange.ts";
import type { LambdaConfig } from "./config.ts";

type Handler = Extract<NonNullable<LambdaClientConfig["requestHandler"]>, { handle: unknown }>;

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

/** No whole request has left: nothing has run. */
export class NotSent extends Error {}
/** The request may have arrived, its answer has not. */
export class ConnectionLost extends Error {}

const CLIENTS_MOST = 64;
/** Of Lambda's answer, whose payload is at most 6 MB. */
const ANSWER_BYTES = 8 * 1024 * 1024;
/** fetch sets these itself, to the values that were signed. */
const SET_BY_FETCH = new Set(["host", "content-length"]);

export type Clients = (environment: EnvironmentHandle, config: LambdaConfig) => Promise<LambdaClient>;

export function createClients(ports: Pick<AdapterPorts, "fetchOn">): Clients {
  const clients = new Map<string, { madeOf: string; client: LambdaClient }>();
  return async (environment, config) => {
    const secrets = await environment.openSecrets();
    const { access_key_id: accessKeyId = "", secret_access_key: secretAccessKey = "", session_token: token } = secrets;
    const madeOf = JSON.stringify([environment.digest, accessKeyId, secretAccessKey, token]);
    const known = clients.get(environment.name);
    if (known?.madeOf === madeOf) return known.client;
    const client = new LambdaClient({
      region: config.region,
      ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
      credentials: { accessKeyId, secretAccessKey, ...(token === undefined ? {} : { sessionToken: token }) },
      maxAttempts: 1,
      requestHandler: handlerOn(ports.fetchOn(config.network)),
    });
    const [oldest] = clients.keys();
    if (known === undefined && clients.size >= CLIENTS_MOST && oldest !== undefined) clients.delete(oldest);
    // In place of the one before: credentials that were replaced are not used again.
    clients.set(environment.name, { madeOf, client });
    return client;
  };
}

function handlerOn(send: Send): Handler {
  const handler = {
    async handle(request: SentRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) {
      const { method, headers, body } = request;
      let refusal: SwitchyardError | undefined;
      const sending = async (sent: Request): Promise<Response> => {
        try {
          return await send(sent);
        } catch (thrown) {
          if (thrown instanceof SwitchyardError) refusal = thrown;
          throw thrown;
        }
      };
      const came = await exchange(sending, {
        url: addressOf(request),
        method,
        headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !SET_BY_FETCH.has(name.toLowerCase()))),
        maxAnswerBytes: ANSWER_BYTES,
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : textIn(body) }),
        ...(abortSignal === undefined ? {} : { signal: abortSignal }),
      });
      if (refusal !== undefined) throw refusal;
      return { response: responseOf(came) };
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
    destroy: () => undefined,
  };
  return handler as unknown as Handler;
}

function responseOf(came: Exchanged): { statusCode: number; headers: Record<string, string>; body: Uint8Array } {
  switch (came.kind) {
    case "answer":
      return {
        statusCode: came.status,
        headers: Object.fromEntries(came.headers),
        body: new TextEncoder().encode(came.text),
      };
    case "not_sent":
      throw new NotSent(came.reason);
    case "broken_off":
      throw new ConnectionLost(came.reason);
    case "too_large":
      throw new ConnectionLost(`it is longer than ${ANSWER_BYTES} bytes`);
    case "not_text":
      throw new ConnectionLost("it is not UTF-8");
  }
}

function addressOf({ protocol, hostname, port, path, query = {} }: SentRequest): string {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
  for (const [name, values] of Object.entries(query)) {
    for (const value of [values ?? ""].flat()) url.searchParams.append(name, value);
  }
  return url.href;
}

const textIn = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
