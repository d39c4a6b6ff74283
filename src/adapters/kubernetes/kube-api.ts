/**
 * The few requests to a Kubernetes API server that are needed. What it refuses is a KubeRefusal; anything else that is
 * thrown means that it is not known whether it was done.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/
 */
import { within } from "../../core/within.ts";
import type { AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import { member } from "../http/read-refusal.ts";
import { retryAfterMs } from "../http/retry-after.ts";
import type { KubernetesJobConfig } from "./config.ts";

const ANSWER_MS = 20_000;
const MAX_DETAIL_CHARS = 1_000;

export class KubeRefusal extends Error {
  override readonly name = "KubeRefusal";
  readonly status: number;
  /** Of the Status object, such as AlreadyExists; "" where something else answered. */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, more: { status: number; reason: string; retryAfterMs: number | undefined }) {
    super(message);
    this.status = more.status;
    this.reason = more.reason;
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** PATCH is a server-side apply: whole objects of ours, made or brought to what is said. */
type Method = "GET" | "POST" | "PATCH" | "DELETE";
export type KubeCall = <Answer>(method: Method, path: string, body?: unknown) => Promise<Answer>;

type Asks = { method: Method; path: string; body?: unknown };
type Answered = { response: Response; text: string };

/** Throws setting_unsupported at once. Each request asks for the secrets, so that a renewed token is used. */
export function kubeApi(
  config: KubernetesJobConfig,
  environment: EnvironmentHandle,
  ports: Pick<AdapterPorts, "fetchOn" | "now">,
): KubeCall {
  const ask = asker(config, environment, ports);
  return async (method, path, body) => {
    const { response, text } = await ask({ method, path, body });
    const { status } = response;
    const answer = parse(text);
    if (response.ok && answer !== undefined) return answer as never;
    const isStatus = member(answer, "kind") === "Status";
    const said = isStatus ? member(answer, "message") : undefined;
    const message = typeof said === "string" && said !== "" ? said.slice(0, MAX_DETAIL_CHARS) : `HTTP ${status}`;
    if (status >= 500) throw new Error(`the API server failed: ${message}`);
    if (status < 400) throw new Error(`what answers is not an API server: HTTP ${status}`);
    const reason = isStatus ? member(answer, "reason") : undefined;
    throw new KubeRefusal(message, {
      status,
      reason: typeof reason === "string" ? reason : "",
      retryAfterMs: retryAfterMs(response.headers, ports.now()),
    });
  };
}

/** What is plain text there: the output of pods. undefined: it cannot be had, or the token may not. */
export function kubeText(
  config: KubernetesJobConfig,
  environment: EnvironmentHandle,
  ports: Pick<AdapterPorts, "fetchOn">,
): (path: string) => Promise<string | undefined> {
  const ask = asker(config, environment, ports);
  return async (path) => {
    try {
      const { response, text } = await ask({ method: "GET", path });
      return response.ok ? text : undefined;
    } catch {
      return undefined;
    }
  };
}

function asker(
  config: KubernetesJobConfig,
  environment: EnvironmentHandle,
  ports: Pick<AdapterPorts, "fetchOn">,
): (asks: Asks) => Promise<Answered> {
  const send = ports.fetchOn(config.network);
  return async ({ method, path, body }) => {
    const type = method === "PATCH" ? "application/apply-patch+yaml" : "application/json";
    const request = new Request(`${config.api_server}${path}`, {
      method,
      redirect: "manual",
      headers: {
        accept: "application/json, text/plain",
        ...(await bearerOf(environment)),
        ...(body === undefined ? {} : { "content-type": type }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answered = await within(
      ANSWER_MS,
      send(request).then(async (response) => ({ response, text: await response.text() })),
    );
    if (answered === undefined) throw new Error(`the API server did not answer within ${ANSWER_MS} ms`);
    return answered.value;
  };
}

export async function bearerOf(environment: EnvironmentHandle): Promise<Record<string, string>> {
  const { token } = await environment.openSecrets();
  return token === undefined ? {} : { authorization: `Bearer ${token.trim()}` };
}

/** undefined: there is none of that name. */
export async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (thrown) {
    if (thrown instanceof KubeRefusal && thrown.reason === "NotFound") return undefined;
    throw thrown;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
