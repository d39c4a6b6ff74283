/** Which environment runs it: the first in the row's order that is active and whose adapter is installed. */
import { SwitchyardError } from "../core/errors.ts";
import type { Adapter } from "../adapters/adapter.ts";
import type { ResolvedOperation } from "../model/resolved.ts";

export interface EnvironmentPort {
  /** The environment's row, from the registry's cache; undefined when there is none of that name. */
  environment(name: string): Promise<{ active: boolean; adapter: string } | undefined>;
}

export const BUILTIN = "builtin";

export async function chooseAdapter(
  operation: ResolvedOperation,
  environments: EnvironmentPort,
  adapters: ReadonlyMap<string, Adapter>,
): Promise<{ adapter: Adapter; environment: string }> {
  if (operation.implementation.kind === "builtin")
    return { adapter: installed(adapters, BUILTIN), environment: BUILTIN };
  const reasons: string[] = [];
  for (const name of operation.environments) {
    const row = await environments.environment(name);
    if (row === undefined) reasons.push(`"${name}" is not registered`);
    else if (!row.active) reasons.push(`"${name}" is switched off`);
    else {
      const adapter = adapters.get(row.adapter);
      if (adapter !== undefined) return { adapter, environment: name };
      reasons.push(`"${name}" needs the adapter "${row.adapter}", which is not installed`);
    }
  }
  throw new SwitchyardError(
    "no_environment",
    `Cannot run "${operation.name}": one of its environments must be able to; ${reasons.join(", ")}`,
    { hint: "opctl get environments" },
  );
}

function installed(adapters: ReadonlyMap<string, Adapter>, name: string): Adapter {
  const adapter = adapters.get(name);
  if (adapter === undefined)
    throw new SwitchyardError("internal", `Cannot run a built-in: no adapter "${name}" is wired`);
  return adapter;
}
