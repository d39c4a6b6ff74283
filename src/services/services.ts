/** Services as the rest of the platform uses them: their objects behind the built-in functions, told of what changes. */
import { SwitchyardError } from "../core/errors.ts";
import type { ServicePorts } from "../registry/builtins/service-functions.ts";

export type Services = ServicePorts["services"];

export function createServices(): Services {
  return { status: missing, command: missing, start: missing, stop: missing, observe: missing };
}

function missing(): never {
  throw new SwitchyardError("not_supported", "Cannot run services yet: their controller must be there; it is not");
}
