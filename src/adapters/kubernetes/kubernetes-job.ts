/**
 * Jobs of Kubernetes: each call is a Job that runs our host, or a container that the team has, and reports by a signed
 * callback (job.ts). A Job is found again by its name, the ticket's id.
 */
import * as v from "valibot";
import type { Outcome } from "../../model/outcome.ts";
import {
  outcomeOfThrown,
  unstarted,
  type Adapter,
  type AdapterCall,
  type AdapterPorts,
  type EnvironmentCheck,
} from "../adapter.ts";
import { runJob, type JobDriver, type JobOptions, type JobState } from "../job.ts";
import { checkKubernetes } from "./check.ts";
import { KubernetesJobConfigSchema, type KubernetesJobConfig } from "./config.ts";
import { jobBody } from "./job-body.ts";
import { hasBegun, lost, stateOfJob, type KubeJob, type KubePod } from "./job-state.ts";
import { kubeApi, KubeRefusal, orUndefined, type KubeCall } from "./kube-api.ts";
import { kubeServices } from "./kube-services.ts";
import { outcomeOfRefusal } from "./refusals.ts";

export function kubernetesJobAdapter(ports: AdapterPorts, options: JobOptions = {}): Adapter {
  return {
    name: "kubernetes-job",
    summary: "Jobs of a Kubernetes cluster that report by callback, and services as its Deployments",
    config: KubernetesJobConfigSchema,
    secrets: {
      token: {
        required: false,
        summary:
          "Of a service account that may create, get and delete jobs and list pods, more for services; none behind kubectl proxy",
      },
    },
    runs: ["module", "container"],

    async invoke(call): Promise<Outcome> {
      let driver: JobDriver;
      try {
        const config = v.parse(KubernetesJobConfigSchema, call.environment.config);
        const image = imageOf(call, config);
        if (typeof image !== "string") return image;
        // One that does not open is said at once, not after three tries.
        await call.environment.openSecrets();
        driver = driverOf(call, config, { kube: kubeApi(config, call.environment, ports), image, options });
      } catch (thrown) {
        return { ...outcomeOfThrown(thrown), unstarted: true } as Outcome;
      }
      return runJob(call, driver, ports, options);
    },

    check(environment): Promise<EnvironmentCheck> {
      return checkKubernetes(environment, ports);
    },
    services: kubeServices(ports),
  };
}

type Tools = { kube: KubeCall; image: string; options: JobOptions };

function driverOf(call: AdapterCall, config: KubernetesJobConfig, { kube, image, options }: Tools): JobDriver {
  const { environment, operation } = call;
  const names = {
    environment: environment.name,
    operation: operation.name,
    isModule: operation.implementation.kind === "module",
  };
  const jobs = `/apis/batch/v1/namespaces/${config.namespace}/jobs`;
  const remove = (name: string) =>
    orUndefined(
      kube("DELETE", `${jobs}/${name}`, {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: "Background",
      }),
    );
  const podsOf = async (name: string): Promise<KubePod[]> => {
    const selector = encodeURIComponent(`job-name=${name}`);
    const path = `/api/v1/namespaces/${config.namespace}/pods?labelSelector=${selector}`;
    return (await kube<{ items?: KubePod[] }>("GET", path)).items ?? [];
  };
  return {
    async start(ticket) {
      const { queueLimitMs } = options;
      const limit = queueLimitMs === undefined ? {} : { queueLimitMs };
      try {
        await kube("POST", jobs, jobBody(call, config, { ticket, image, ...limit }));
      } catch (thrown) {
        if (!(thrown instanceof KubeRefusal)) throw thrown;
        // Of an earlier attempt, or of a request whose answer was lost: the name is the ticket's, so it is the same job.
        if (thrown.reason !== "AlreadyExists") return outcomeOfRefusal(thrown, environment.name);
      }
      return { handle: ticket.id };
    },
    async look(name): Promise<JobState> {
      const job = await orUndefined(kube<KubeJob>("GET", `${jobs}/${name}`));
      const state = stateOfJob(job, job === undefined ? [] : await podsOf(name), names);
      if (state.kind !== "ended" || state.outcome.ok || state.outcome.unstarted !== true) return state;
      // The kubelet would go on trying, and run it although the call has been moved elsewhere.
      await remove(name);
      const begun = (await podsOf(name)).some(hasBegun);
      return begun ? { kind: "ended", outcome: lost(names, "it was stopped while it began") } : state;
    },
    async stop(name) {
      await remove(name);
    },
  };
}

/** The image that a call runs; an outcome where it has none. */
function imageOf({ operation, environment }: AdapterCall, { image }: KubernetesJobConfig): string | Outcome {
  const { implementation } = operation;
  if (implementation.kind === "container") return implementation.image;
  const cannot = `Cannot run "${operation.name}" in "${environment.name}"`;
  if (implementation.kind !== "module") {
    const detail = `${cannot}: it must be a module or a container; it is ${implementation.kind}`;
    return unstarted("no_environment", detail, { retry: { kind: "never" } });
  }
  if (image !== undefined) return image;
  return unstarted("environment_misconfigured", `${cannot}: modules need our host's image; config.image is not set`);
}
