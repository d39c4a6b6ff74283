/** Where an operation may run now: the environments of its row in their order, or any that has what it requires. */
import type { Adapter } from "../adapters/adapter.ts";
import { exposureHandle, SERVICE_ADAPTER } from "../adapters/service/service.ts";
import { SwitchyardError, type ErrorCode } from "../core/errors.ts";
import { lacking, runnableOf, type EnvironmentHandle } from "../model/environment.ts";
import type { PassedOver } from "../model/outcome.ts";
import type { ResolvedOperation } from "../model/resolved.ts";

export interface EnvironmentPort {
  /** The environment's row, from the registry's cache; undefined when there is none of that name. */
  environment(name: string): Promise<EnvironmentHandle | undefined>;
  /** Every row, in the order of their names. */
  environments(): Promise<readonly EnvironmentHandle[]>;
}

export const BUILTIN = "builtin";

/** Where functions of the platform run: no row of anybody's. */
const PLATFORM: EnvironmentHandle = {
  name: BUILTIN,
  description: "",
  active: true,
  adapter: BUILTIN,
  config: {},
  secrets: {},
  capabilities: {},
  digest: BUILTIN,
  openSecrets: async () => ({}),
};

export type Candidate = { adapter: Adapter; environment: EnvironmentHandle };
export type Candidates = { candidates: Candidate[]; passedOver: PassedOver[] };

export async function candidatesOf(
  operation: ResolvedOperation,
  environments: EnvironmentPort,
  adapters: ReadonlyMap<string, Adapter>,
): Promise<Candidates> {
  const { implementation, requires } = operation;
  if (implementation.kind === "builtin") {
    return { candidates: [{ adapter: installed(adapters, BUILTIN), environment: PLATFORM }], passedOver: [] };
  }
  if (implementation.kind === "service") {
    const environment = exposureHandle(implementation.exposure);
    return { candidates: [{ adapter: installed(adapters, SERVICE_ADAPTER), environment }], passedOver: [] };
  }
  const candidates: Candidate[] = [];
  const passedOver: PassedOver[] = [];
  const runnable = runnableOf(implementation);
  const names = operation.environments;
  const consider = (environment: EnvironmentHandle): string | undefined => {
    if (!environment.active) return "it is switched off";
    const adapter = adapters.get(environment.adapter);
    if (adapter === undefined) return `it needs the adapter "${environment.adapter}", which is not installed`;
    if (runnable === BUILTIN || !adapter.runs.includes(runnable)) {
      return `the adapter "${environment.adapter}" does not run this sort of implementation`;
    }
    // Members declare capabilities of their own: the adapter looks among them.
    const lack = adapter.hasMembers === true ? undefined : lacking(environment.capabilities, requires);
    if (lack !== undefined) return lack;
    candidates.push({ adapter, environment });
    return undefined;
  };
  if (names === null) {
    for (const environment of await environments.environments()) consider(environment);
    return { candidates, passedOver };
  }
  for (const name of names) {
    const environment = await environments.environment(name);
    const reason = environment === undefined ? "it is not registered" : consider(environment);
    if (reason !== undefined) passedOver.push({ environment: name, code: NONE, reason });
  }
  return { candidates, passedOver };
}

const NONE: ErrorCode = "no_environment";

/** What is said when nothing can run it. */
export function noEnvironment(operation: ResolvedOperation, passedOver: readonly PassedOver[]): SwitchyardError {
  const reasons = passedOver.map(({ environment, reason }) => `"${environment}": ${reason}`);
  const wanted = Object.entries(operation.requires).map(([name, value]) => `${name}=${String(value)}`);
  const found =
    reasons.length > 0
      ? reasons.join("; ")
      : `none that is switched on has ${wanted.join(", ")} and runs such an implementation`;
  return new SwitchyardError(
    "no_environment",
    `Cannot run "${operation.name}": one of its environments must be able to; ${found}`,
    { hint: "opctl environment check" },
  );
}

function installed(adapters: ReadonlyMap<string, Adapter>, name: string): Adapter {
  const adapter = adapters.get(name);
  if (adapter === undefined)
    throw new SwitchyardError("internal", `Cannot run it by the adapter "${name}": it must be wired; it is not`);
  return adapter;
}
