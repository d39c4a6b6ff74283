/**
 * Services on Kubernetes: each set is a Deployment with a Service before it, made by server-side apply, so that a step that is asked
 * for again changes nothing. Kubernetes keeps as many pods as it is told, rolls them and replaces them. What never becomes ready is
 * taken away again, unless pods of the revision before still serve: those stay, and the step fails.
 */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import type { ReplicaReport } from "../../model/services.ts";
import type { AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import type { ReplicaRef, ServiceHost, StartOrder } from "../service-host.ts";
import { containerOf, lookUntil, notRolled, orRefused, reportOf, setNames } from "../service-place.ts";
import { notSent, sendToService, urlUnder } from "../service-send.ts";
import { KubernetesJobConfigSchema, PLACED_BY, type KubernetesJobConfig } from "./config.ts";
import { REVISION_LABEL, SERVICE_LABEL, SET_LABEL, setObjects } from "./deployment-body.ts";
import { isReady, newest, reportOfSet, standingOf, type KubeDeployment, type Standing } from "./deployment-state.ts";
import type { KubePod } from "./job-state.ts";
import { kubeApi, KubeRefusal, kubeText, orUndefined, type KubeCall } from "./kube-api.ts";
import { sendThroughProxy } from "./kube-proxy.ts";
import { CONTAINER } from "./pod-body.ts";
import { outcomeOfRefusal } from "./refusals.ts";

const LOOK_MS = 1_000;
/** What the cluster takes for deleting, beyond the pods' own time. */
const DELETE_MS = 60_000;
const LOG_LINES = 20;
const MAX_LINE_CHARS = 1_000;
/** Times in a row that the API server may not answer while a start is waited for. */
const LOST_LOOKS = 5;
const APPLY = "fieldManager=switchyard&force=true";
const WAITED_FOR = { placing: "no machine has taken it", warming: "its health does not say that it is well" };
const DELETED = "its Deployment is not there any more";

type Ports = Pick<AdapterPorts, "fetchOn" | "now" | "sleep">;
/** In one environment. */
type Cluster = { config: KubernetesJobConfig; kube: KubeCall; text: ReturnType<typeof kubeText> };
type Tools = { cluster: Cluster; ports: Ports };

export function kubeServices(ports: Ports): ServiceHost {
  const clusterOf = (environment: EnvironmentHandle): Cluster => {
    const config = v.parse(KubernetesJobConfigSchema, environment.config);
    return { config, kube: kubeApi(config, environment, ports), text: kubeText(config, environment, ports) };
  };
  return {
    unit: "set",
    runs: ["container"],
    placedBy: PLACED_BY,
    start: async (order, environment) =>
      orThrown(startSet(order, { cluster: clusterOf(environment), environment, ports }), environment),
    stop: async (replica, environment) =>
      orThrown(stopSet(replica, { cluster: clusterOf(environment), ports }), environment),
    observe: async (of, environment) => orThrown(observeSets(of, clusterOf(environment)), environment),

    async send({ service, replica, via, address }, request, environment) {
      const config = v.parse(KubernetesJobConfigSchema, environment.config);
      const send = ports.fetchOn(config.network);
      if (via === "direct") {
        if (address === null) return notSent("it has no address of its own here");
        return sendToService(request, () => ({ url: urlUnder(address, request.path), send }));
      }
      const { set } = await setNames(service, replica);
      return sendThroughProxy(request, { config, set, environment, send });
    },
  };
}

function orThrown<T>(work: Promise<T>, { name }: EnvironmentHandle): Promise<T> {
  return orRefused(work, {
    name,
    refusal: (thrown) => (thrown instanceof KubeRefusal ? outcomeOfRefusal(thrown, name) : undefined),
  });
}

async function startSet(
  order: StartOrder,
  { cluster, environment, ports }: Tools & { environment: EnvironmentHandle },
): Promise<ReplicaReport> {
  const { config, kube } = cluster;
  const container = containerOf(order, environment);
  const more = { ...container, environment: environment.name };
  const { names, secret, service, deployment } = await setObjects(order, config, more);
  const paths = pathsOf(config);
  // The Secret first: a pod without it waits, and its waiting would look like a mistake.
  await kube("PATCH", `${paths.secrets}/${names.secret}?${APPLY}`, secret);
  await kube("PATCH", `${paths.services}/${names.set}?${APPLY}`, service);
  await kube("PATCH", `${paths.deployments}/${names.set}?${APPLY}`, deployment);
  const came = await untilSettled(names.set, { order, cluster, ports });
  if (came.because !== undefined) return notReady(came, { order, cluster, environment, ports });
  await forgetSecrets(cluster, `${SET_LABEL}=${names.set},${REVISION_LABEL}!=${names.revision}`);
  return came.report;
}

type Came = { report: ReplicaReport; because: string | undefined; pods: readonly KubePod[] };

/** `because` undefined: all of it is ready. */
async function untilSettled(set: string, { order, cluster, ports }: Tools & { order: StartOrder }): Promise<Came> {
  const { service, replica, spec } = order;
  const until = ports.now() + spec.health.start_ms;
  let failures = 0;
  for (;;) {
    let found: KubeDeployment | undefined;
    let pods: readonly KubePod[] = [];
    let standing: Standing = { kind: "placing", because: undefined };
    try {
      found = await orUndefined(cluster.kube<KubeDeployment>("GET", `${pathsOf(cluster.config).deployments}/${set}`));
      if (found === undefined) {
        const gone = reportOf({ replica, service, status: "ended", ready: 0, ended: DELETED });
        return { report: gone, because: DELETED, pods };
      }
      pods = await podsOf(found, cluster);
      standing = standingOf(found, newest(found, pods));
      failures = 0;
    } catch (thrown) {
      // It goes on there whether it is looked at or not.
      if (thrown instanceof KubeRefusal || ++failures >= LOST_LOOKS) throw thrown;
    }
    const leftMs = until - ports.now();
    if (found !== undefined) {
      const report = reportWith(found, { pods, config: cluster.config });
      if (standing.kind === "settled") return { report, because: undefined, pods };
      if (standing.kind === "hopeless") return { report, because: standing.because, pods };
      if (leftMs <= 0) {
        const why = standing.because ?? WAITED_FOR[standing.kind];
        return { report, because: `it was not ready within ${spec.health.start_ms} ms: ${why}`, pods };
      }
    }
    await ports.sleep(Math.max(1, Math.min(LOOK_MS, leftMs)));
  }
}

/** Those that serve meanwhile stay; of what serves nobody nothing stays. */
async function notReady(
  { report, because, pods }: Came,
  { order, cluster, environment, ports }: Tools & { order: StartOrder; environment: EnvironmentHandle },
): Promise<ReplicaReport> {
  const lines = [because ?? "", ...(await lastLines(pods, cluster))];
  if (report.ready > 0 && report.revision !== order.revision) {
    throw notRolled(order, { name: environment.name, because: lines.join("; ") });
  }
  if (report.ready > 0) return { ...report, lines };
  const { service, replica, spec } = order;
  await stopSet({ service, replica, graceMs: spec.stop_ms }, { cluster, ports });
  return { ...report, status: "ended", address: null, ended: because ?? null, lines };
}

async function stopSet(
  { service, replica, graceMs }: Pick<ReplicaRef, "service" | "replica"> & { graceMs: number },
  { cluster, ports }: Tools,
): Promise<void> {
  const { config, kube } = cluster;
  const { set } = await setNames(service, replica);
  const paths = pathsOf(config);
  const remove = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground" };
  await orUndefined(kube("DELETE", `${paths.deployments}/${set}`, remove));
  // Deleted in the foreground it is there until its pods are gone.
  const gone = await lookUntil(
    async () => {
      const found = await orUndefined(kube<KubeDeployment>("GET", `${paths.deployments}/${set}`));
      return found === undefined ? true : undefined;
    },
    { withinMs: graceMs + DELETE_MS, everyMs: LOOK_MS, clock: ports },
  );
  if (gone !== true) {
    const detail = `Cannot stop "${service}": the Deployment ${set} must be gone within ${graceMs + DELETE_MS} ms; it is still being deleted`;
    throw new SwitchyardError("environment_unavailable", detail);
  }
  await orUndefined(kube("DELETE", `${paths.services}/${set}`));
  await forgetSecrets(cluster, `${SET_LABEL}=${set}`);
}

async function observeSets(
  { service, replicas }: { service: string; replicas: readonly ReplicaRef[] },
  cluster: Cluster,
): Promise<ReplicaReport[]> {
  const { prefix } = await setNames(service);
  const { config, kube } = cluster;
  const selector = encodeURIComponent(`${SERVICE_LABEL}=${prefix}`);
  const { items = [] } = await kube<{ items?: KubeDeployment[] }>(
    "GET",
    `${pathsOf(config).deployments}?labelSelector=${selector}`,
  );
  const there = items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  const reports = await Promise.all(
    there.map(async (each) => reportWith(each, { pods: await podsOf(each, cluster), config })),
  );
  const asked = replicas.filter(({ replica }) => !reports.some((each) => each.replica === replica));
  const gone = asked.map(({ replica }) => reportOf({ replica, service, status: "ended", ready: 0, ended: DELETED }));
  return [...reports, ...gone];
}

/** None where the Deployment itself says all. */
async function podsOf(deployment: KubeDeployment, { config, kube }: Cluster): Promise<readonly KubePod[]> {
  if (standingOf(deployment, []).kind === "settled") return [];
  const selector = encodeURIComponent(`${SET_LABEL}=${deployment.metadata?.name ?? ""}`);
  const { items = [] } = await kube<{ items?: KubePod[] }>("GET", `${pathsOf(config).pods}?labelSelector=${selector}`);
  return items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
}

function reportWith(
  deployment: KubeDeployment,
  { pods, config: { namespace, network } }: { pods: readonly KubePod[]; config: KubernetesJobConfig },
): ReplicaReport {
  const { name = "", annotations = {} } = deployment.metadata ?? {};
  // From the public network no such name is reached.
  const address = network === "private" ? `http://${name}.${namespace}.svc:${annotations["switchyard/port"]}` : null;
  return { ...reportOfSet(deployment, pods), address };
}

/** What the first of them that is in trouble wrote last, where the token may read it. */
async function lastLines(pods: readonly KubePod[], { config, text }: Cluster): Promise<string[]> {
  const name = pods.find((pod) => !isReady(pod))?.metadata?.name;
  if (name === undefined) return [];
  const log = `${pathsOf(config).pods}/${name}/log?container=${CONTAINER}&tailLines=${LOG_LINES}`;
  const written = (await text(`${log}&previous=true`)) ?? (await text(log)) ?? "";
  return written
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.slice(0, MAX_LINE_CHARS));
}

/** Without the right to read Secrets, which deleting those with a label does not need. */
async function forgetSecrets({ config, kube }: Cluster, selector: string): Promise<void> {
  await kube("DELETE", `${pathsOf(config).secrets}?labelSelector=${encodeURIComponent(selector)}`);
}

function pathsOf({ namespace }: KubernetesJobConfig) {
  const core = `/api/v1/namespaces/${namespace}`;
  return {
    deployments: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    services: `${core}/services`,
    secrets: `${core}/secrets`,
    pods: `${core}/pods`,
  };
}
