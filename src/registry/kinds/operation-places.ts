/** Where an operation may run: each place that its row names must run such code, and act on all that the row asks for. */
import { runnableOf, type Runnable } from "../../model/environment.ts";
import type { Environment, Operation } from "../../model/entities.ts";
import type { Draft } from "../draft.ts";
import { environmentsOf, implementationOf, INLINE, type OperationResolved } from "./operation-resolved.ts";
import { named, refuse, type WriteContext } from "./rules.ts";

const WORDS: Readonly<Record<Runnable, string>> = {
  module: "modules in JavaScript",
  python: "modules in Python",
  process: "processes",
  container: "containers",
  http: "HTTP services",
  lambda: "Lambda functions",
  service: "requests to services",
};

/** Throws definition_invalid or setting_unsupported. */
export async function checkPlaces(
  manifest: Operation,
  implementation: OperationResolved["implementation"],
  { draft, ports }: Pick<WriteContext, "draft" | "ports">,
): Promise<void> {
  const { name } = manifest;
  const runnable = runnableOf(implementationOf({ implementation } as OperationResolved));
  if (runnable === "builtin") {
    if (Object.keys(manifest.requires).length > 0) {
      throw refuse(
        "setting_unsupported",
        "/requires",
        `Cannot store "requires" of "${name}": a function of the platform runs in the platform, so it must be {}; it is ${JSON.stringify(manifest.requires)}`,
      );
    }
    for (const place of manifest.environment === null ? [] : (environmentsOf(manifest) ?? []))
      await named(draft, "environment", place, "/environment");
    return;
  }
  checkGrants(manifest, runnable);
  if (implementation.kind === "service") return checkExposure(manifest, implementation.exposure, draft);
  for (const place of environmentsOf(manifest) ?? []) {
    const row = await named(draft, "environment", place, "/environment");
    const adapter = (row.manifest as Environment).adapter;
    const description = ports.adapters.find((each) => each.name === adapter);
    if (description === undefined || description.runs.includes(runnable)) continue;
    const runs = description.runs.map((each) => WORDS[each]).join(", ");
    const able = ports.adapters.filter((each) => each.runs.includes(runnable)).map((each) => each.name);
    throw refuse(
      "setting_unsupported",
      "/environment",
      `Cannot run "${name}" in "${place}": the adapter "${adapter}" runs ${runs}; "${name}" is one of the ${WORDS[runnable]}`,
      place === INLINE && manifest.environment === null
        ? `name an environment whose adapter is one of ${able.join(", ")}`
        : `adapters that run ${WORDS[runnable]}: ${able.join(", ") || "none is installed"}`,
    );
  }
}

/** Where it runs is said by the service behind the exposure. */
async function checkExposure(
  { name, environment, requires }: Operation,
  exposure: string,
  draft: Draft,
): Promise<void> {
  const idle = { environment: environment !== null, requires: Object.keys(requires).length > 0 };
  for (const [field, set] of Object.entries(idle)) {
    if (!set) continue;
    throw refuse(
      "setting_unsupported",
      `/${field}`,
      `Cannot store "${field}" of "${name}": where it runs is said by the service that provides it, so it must be ${field === "requires" ? "{}" : "null"}; it is ${JSON.stringify(field === "requires" ? requires : environment)}`,
      `opctl describe exposure ${exposure} names the service`,
    );
  }
  await named(draft, "exposure", exposure, "/provided_by/exposure");
}

/** Hosts and secrets are granted to code that runs in a sandbox of ours; elsewhere nothing would act on the lists. */
function checkGrants({ name, network, secrets }: Operation, runnable: Runnable): void {
  if (runnable !== "module" && network.length > 0) {
    throw refuse(
      "setting_unsupported",
      "/network",
      `Cannot store "network" of "${name}": only modules in JavaScript are confined to a list of hosts, so it must be []; it is ${JSON.stringify(network)}`,
      "confine it where it runs: a firewall, a network policy, a container without a network",
    );
  }
  if (runnable !== "module" && runnable !== "python" && secrets.length > 0) {
    throw refuse(
      "setting_unsupported",
      "/secrets",
      `Cannot store "secrets" of "${name}": only modules are given secrets, so it must be []; it is ${JSON.stringify(secrets)}`,
      "give it what it needs where it is installed",
    );
  }
}
