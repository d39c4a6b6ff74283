/** Looks at a cluster without changing it: its version, and whether the token may do what Jobs take, and what services take. */
import * as v from "valibot";
import type { AdapterPorts, EnvironmentCheck, EnvironmentHandle } from "../adapter.ts";
import { KubernetesJobConfigSchema } from "./config.ts";
import { kubeApi, KubeRefusal } from "./kube-api.ts";

const NEEDED = [
  { group: "batch", resource: "jobs", verb: "create" },
  { group: "batch", resource: "jobs", verb: "get" },
  { group: "batch", resource: "jobs", verb: "delete" },
  { group: "", resource: "pods", verb: "list" },
] as const;

/** Without them it runs Jobs all the same. */
const FOR_SERVICES = [
  ...["create", "get", "list", "patch", "delete"].map((verb) => ({ group: "apps", resource: "deployments", verb })),
  ...["create", "patch", "delete"].map((verb) => ({ group: "", resource: "services", verb })),
  ...["create", "patch", "deletecollection"].map((verb) => ({ group: "", resource: "secrets", verb })),
  ...["get", "create", "update", "patch", "delete"].map((verb) => ({
    group: "",
    resource: "services",
    subresource: "proxy",
    verb,
  })),
];

export async function checkKubernetes(
  environment: EnvironmentHandle,
  ports: Pick<AdapterPorts, "fetchOn" | "now" | "platformUrl">,
): Promise<EnvironmentCheck> {
  const missing: string[] = [];
  const facts: Record<string, string> = {};
  let latencyMs: number | null = null;
  if (ports.platformUrl === undefined)
    missing.push("Jobs report to the platform: set PUBLIC_URL (opctl dev --public-url)");
  try {
    const config = v.parse(KubernetesJobConfigSchema, environment.config);
    const { namespace, image } = config;
    if (image !== undefined) facts["image"] = image;
    const kube = kubeApi(config, environment, ports);
    const begunAt = ports.now();
    const { gitVersion } = await kube<{ gitVersion?: string }>("GET", "/version");
    latencyMs = ports.now() - begunAt;
    if (gitVersion !== undefined) facts["version"] = gitVersion;
    const isAllowed = async (attributes: object): Promise<boolean> => {
      const review = await kube<{ status?: { allowed?: boolean } }>(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: { resourceAttributes: { namespace, ...attributes } },
        },
      );
      return review.status?.allowed === true;
    };
    const [answers, forServices] = await Promise.all([
      Promise.all(NEEDED.map(isAllowed)),
      Promise.all(FOR_SERVICES.map(isAllowed)),
    ]);
    const denied = NEEDED.filter((_, index) => answers[index] !== true);
    const lacking = FOR_SERVICES[forServices.indexOf(false)];
    facts["services"] = lacking === undefined ? "allowed" : `the token may not ${wordsOf(lacking)}`;
    for (const { verb, resource } of denied) {
      missing.push(`The token must be allowed to ${verb} ${resource} in the namespace "${namespace}"; it is not`);
    }
    return { reachable: true, allowed: denied.length === 0, latency_ms: latencyMs, missing, facts };
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (!(thrown instanceof KubeRefusal)) {
      missing.push(`The API server must answer: ${message}`);
      return { reachable: false, allowed: null, latency_ms: null, missing, facts };
    }
    missing.push(`The API server says ${thrown.reason || thrown.status}: ${message}`);
    const isRefused = thrown.status === 401 || thrown.status === 403;
    return { reachable: true, allowed: isRefused ? false : null, latency_ms: latencyMs, missing, facts };
  }
}

function wordsOf({ verb, resource, subresource }: { verb: string; resource: string; subresource?: string }): string {
  return `${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`}`;
}
