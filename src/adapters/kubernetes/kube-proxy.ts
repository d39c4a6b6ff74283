/**
 * Requests to a service through the API server's proxy: `/api/v1/namespaces/NS/services/NAME:http/proxy/PATH`. What the API server
 * says itself is a Status object, and told apart from what the service answers. It takes the Authorization header for its own.
 * https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/
 */
import type { Exchanged, Send } from "../http/exchange.ts";
import { member } from "../http/read-refusal.ts";
import type { EnvironmentHandle } from "../adapter.ts";
import type { ServiceRequest } from "../service-host.ts";
import { notSent, sendToService, urlUnder } from "../service-send.ts";
import type { KubernetesJobConfig } from "./config.ts";
import { bearerOf } from "./kube-api.ts";

type Through = { config: KubernetesJobConfig; set: string; environment: EnvironmentHandle; send: Send };

/** Of "error trying to reach service: …": the connection was never made. */
const NO_CONNECTION = /no endpoints available|dial tcp|connection refused|no such host|no route to host|TLS handshake/i;

export async function sendThroughProxy(
  request: ServiceRequest,
  { config, set, environment, send }: Through,
): Promise<Exchanged> {
  if (Object.keys(request.headers).some((name) => name.toLowerCase() === "authorization")) {
    return notSent("an Authorization header of its own cannot pass the API server, which takes it for the cluster's");
  }
  const base = `${config.api_server}/api/v1/namespaces/${config.namespace}/services/${set}:http/proxy`;
  const came = await sendToService(request, () => ({
    url: urlUnder(base, request.path),
    send,
    authorize: async () => ({ headers: await bearerOf(environment) }),
  }));
  return ofApiServer(came) ?? came;
}

/** undefined: it is the service's answer. */
function ofApiServer(came: Exchanged): Exchanged | undefined {
  if (came.kind !== "answer" || came.status < 400) return undefined;
  let body: unknown;
  try {
    body = JSON.parse(came.text);
  } catch {
    return undefined;
  }
  if (member(body, "kind") !== "Status" || member(body, "apiVersion") !== "v1") return undefined;
  const said = member(body, "message");
  const reason = `the API server says: ${typeof said === "string" ? said.slice(0, 1_000) : `HTTP ${came.status}`}`;
  if (came.status < 500 || NO_CONNECTION.test(reason)) return { kind: "not_sent", reason };
  return { kind: "broken_off", reason };
}
