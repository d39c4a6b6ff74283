/**
 * Every adapter of this installation, by the name that environments give. Plugins come last and may not take the name of
 * one of ours.
 */
import { SwitchyardError } from "../core/errors.ts";
import type { Executor } from "../model/invocation.ts";
import type { Outcome } from "../model/outcome.ts";
import type { RunnerPoolPort } from "../model/runner-protocol.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Adapter, AdapterCall, AdapterPorts } from "./adapter.ts";
import { azureFunctionAdapter } from "./azure/azure-function.ts";
import { azureJobAdapter } from "./azure/azure-job.ts";
import { builtinAdapter } from "./builtin/builtin.ts";
import { fargateAdapter } from "./fargate/fargate.ts";
import { gcpJobAdapter } from "./gcp/gcp-job.ts";
import { gcpRunAdapter } from "./gcp/gcp-run.ts";
import { httpAdapter } from "./http/http.ts";
import { inlineAdapter } from "./inline/inline.ts";
import { kubernetesJobAdapter } from "./kubernetes/kubernetes-job.ts";
import { lambdaAdapter } from "./lambda/lambda.ts";
import { runnerAdapter } from "./runner/runner.ts";
import type { ServicesPort } from "./service/port.ts";
import { serviceAdapter } from "./service/service.ts";

export type AdaptersOptions = {
  ports: AdapterPorts;
  executor: Executor;
  /** Runs a function of the platform itself. */
  builtin: (name: string, call: AdapterCall) => Promise<Outcome>;
  /** The runners of an environment. */
  pool: (environment: string) => RunnerPoolPort;
  /** Replicas of services, for the operations that they provide. */
  services: ServicesPort;
  telemetry: () => Telemetry | undefined;
  plugins: readonly ((ports: AdapterPorts) => Adapter)[];
};

export function createAdapters(options: AdaptersOptions): Map<string, Adapter> {
  const { ports, executor, builtin, pool, services, telemetry, plugins } = options;
  const own: Adapter[] = [
    inlineAdapter(executor, ports.isolates),
    runnerAdapter({ ...ports, pool }),
    httpAdapter(ports),
    lambdaAdapter(ports),
    fargateAdapter(ports),
    gcpRunAdapter(ports),
    gcpJobAdapter(ports),
    azureFunctionAdapter(ports),
    azureJobAdapter(ports),
    kubernetesJobAdapter(ports),
    builtinAdapter(builtin),
    serviceAdapter({ ...ports, services, telemetry, host: (name) => adapters.get(name)?.services }),
  ];
  const adapters: Map<string, Adapter> = new Map(own.map((adapter) => [adapter.name, adapter]));
  for (const plugin of plugins) {
    const adapter = plugin(ports);
    if (adapters.has(adapter.name)) {
      throw new SwitchyardError(
        "definition_invalid",
        `Cannot use the plugin's adapter "${adapter.name}": its name must be its own; there is one of that name`,
      );
    }
    adapters.set(adapter.name, adapter);
  }
  return adapters;
}

/** Those that environments may name: functions of the platform run in the platform, and what services provide at those. */
export function offeredAdapters(adapters: ReadonlyMap<string, Adapter>): Adapter[] {
  return [...adapters.values()].filter(({ runs }) => runs.length > 0);
}
