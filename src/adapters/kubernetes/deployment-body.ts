/**
 * What is applied for one service's set: a Deployment, a Service before it, and a Secret with all of its variables, which are never in
 * the Deployment's text. The Secret has the revision in its name, so that pods of the revision before keep theirs while they end.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/
 */
import { sha256 } from "../../core/hash.ts";
import type { ReplicaSpec } from "../../model/services.ts";
import type { StartOrder } from "../service-host.ts";
import { portOf, setNames } from "../service-place.ts";
import type { KubernetesJobConfig } from "./config.ts";
import { containerSettings, CONTAINER, labelsOf, podSettings } from "./pod-body.ts";

/** Of all sets of a service, and of one set. */
export const SERVICE_LABEL = "switchyard/service";
export const SET_LABEL = "switchyard/set";
export const REVISION_LABEL = "switchyard/revision";

export type SetObjects = { secret: object; service: object; deployment: object };

export async function setObjects(
  { service, replica, revision, count, spec }: StartOrder,
  config: KubernetesJobConfig,
  more: { image: string; command: readonly string[] | null; environment: string },
): Promise<{ names: { set: string; secret: string; revision: string } } & SetObjects> {
  const { prefix, set } = await setNames(service, replica);
  const short = (await sha256(revision)).slice(0, 10);
  const secret = `${set}-${short}`;
  const { namespace } = config;
  const labels = { ...labelsOf(config), [SERVICE_LABEL]: prefix, [SET_LABEL]: set };
  const port = portOf(spec);
  const annotations = {
    "switchyard/service": service,
    "switchyard/replica": replica,
    "switchyard/revision": revision,
    "switchyard/environment": more.environment,
    "switchyard/port": String(port),
  };
  const metadata = { name: set, namespace, labels, annotations };
  return {
    names: { set, secret, revision: short },
    secret: {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { ...metadata, name: secret, labels: { ...labels, [REVISION_LABEL]: short } },
      type: "Opaque",
      data: Object.fromEntries(Object.entries(spec.variables).map(([name, value]) => [name, base64(value)])),
    },
    service: {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        type: "ClusterIP",
        selector: { [SET_LABEL]: set },
        ports: [{ name: "http", protocol: "TCP", port, targetPort: port }],
      },
    },
    deployment: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        replicas: count,
        revisionHistoryLimit: 1,
        // The platform gives up first, and says why.
        progressDeadlineSeconds: seconds(spec.health.start_ms) + 60,
        selector: { matchLabels: { [SET_LABEL]: set } },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: {
          metadata: { labels, annotations: { "switchyard/service": service, "switchyard/revision": revision } },
          spec: {
            ...podSettings(config),
            // Else it would have variables for each Service of the namespace.
            enableServiceLinks: false,
            terminationGracePeriodSeconds: seconds(spec.stop_ms),
            containers: [
              {
                name: CONTAINER,
                ...containerSettings(config, more),
                ports: [{ name: "http", containerPort: port, protocol: "TCP" }],
                // Those named here come before those of the Secret.
                env: [{ name: "PORT", value: String(port) }],
                envFrom: [{ secretRef: { name: secret } }],
                ...probesOf(spec, port),
              },
            ],
          },
        },
      },
    },
  };
}

/** Not in use while it is not well, and replaced when it stays so; neither counts before it has been well for the first time. */
function probesOf({ health }: Pick<ReplicaSpec, "health">, port: number) {
  const { path, interval_ms: intervalMs, timeout_ms: timeoutMs, failures, start_ms: startMs } = health;
  const look = {
    ...(path === null ? { tcpSocket: { port } } : { httpGet: { path, port, scheme: "HTTP" } }),
    timeoutSeconds: seconds(timeoutMs),
  };
  const regular = { ...look, periodSeconds: seconds(intervalMs), failureThreshold: failures };
  return {
    startupProbe: { ...look, periodSeconds: 1, failureThreshold: seconds(startMs) },
    readinessProbe: regular,
    livenessProbe: regular,
  };
}

/** Kubernetes knows whole seconds, and of probes at least one. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}

function base64(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
