/**
 * The adapter of operations that services provide. No environment is of it: an operation names an exposure, which leads to the service
 * that provides it now, and the service's own environment is what carries the request.
 */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import type { EnvironmentHandle } from "../../model/environment.ts";
import type { Outcome } from "../../model/outcome.ts";
import { outcomeOfThrown, type Adapter, type AdapterCall } from "../adapter.ts";
import { invokeService, type InvokeServicePorts } from "./invoke.ts";
import { requestOf, type ServiceCall } from "./request.ts";

export const SERVICE_ADAPTER = "service";

export function serviceAdapter(ports: InvokeServicePorts): Adapter {
  return {
    name: SERVICE_ADAPTER,
    summary: "services, by the exposures that lead to them",
    config: v.strictObject({}),
    secrets: {},
    runs: [],
    // Circuits are kept for each replica, and how long to wait is the service's own word.
    judgesItself: true,
    async invoke(call): Promise<Outcome> {
      const service = call.operation.implementation;
      let request: ServiceCall;
      try {
        if (service.kind !== "service") {
          throw new SwitchyardError(
            "no_environment",
            `Cannot run "${call.operation.name}" at a service: its implementation must be one; it is ${service.kind}`,
          );
        }
        request = requestOf(service, inputOf(call), call.operation.name);
      } catch (thrown) {
        const outcome = outcomeOfThrown(thrown);
        return outcome.ok ? outcome : { ...outcome, unstarted: true };
      }
      return invokeService(call, { service, request }, ports);
    },
  };
}

/** Where such an operation runs, to dispatch: what its exposure is called. */
export function exposureHandle(exposure: string): EnvironmentHandle {
  return {
    name: exposure,
    description: "",
    active: true,
    adapter: SERVICE_ADAPTER,
    config: {},
    secrets: {},
    capabilities: {},
    digest: SERVICE_ADAPTER,
    openSecrets: async () => ({}),
  };
}

/** An attempt of an asynchronous execution has the text alone. */
function inputOf({ input, inputValue }: AdapterCall): unknown {
  return inputValue === undefined ? (JSON.parse(input) as unknown) : inputValue;
}
