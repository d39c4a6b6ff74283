/** Looks at environments for who asks: what the adapter finds, and what can be told without it. */
import { SwitchyardError } from "../core/errors.ts";
import type { Adapter, EnvironmentCheck, EnvironmentHandle } from "./adapter.ts";

const NOTHING: EnvironmentCheck = { reachable: true, allowed: true, latency_ms: null, missing: [], facts: {} };

export function checker(adapters: ReadonlyMap<string, Adapter>) {
  return async (environment: EnvironmentHandle) => {
    const { name, adapter: adapterName, active } = environment;
    const found = await look(environment, adapters.get(adapterName));
    const off = active ? [] : [`it must be active; it is not: opctl edit environment ${name} -s active=true`];
    return { name, adapter: adapterName, active, ...found, missing: [...off, ...found.missing] };
  };
}

async function look(environment: EnvironmentHandle, adapter: Adapter | undefined): Promise<EnvironmentCheck> {
  if (adapter === undefined) {
    const missing = [`its adapter must be installed; "${environment.adapter}" is not`];
    return { ...NOTHING, reachable: false, allowed: null, missing };
  }
  try {
    return (await adapter.check?.(environment)) ?? NOTHING;
  } catch (thrown) {
    // A secret that does not open, a setting that this installation cannot honour.
    const hint = thrown instanceof SwitchyardError && thrown.hint !== undefined ? `: ${thrown.hint}` : "";
    const missing = [`${thrown instanceof Error ? thrown.message : String(thrown)}${hint}`];
    return { ...NOTHING, reachable: false, allowed: null, missing };
  }
}
