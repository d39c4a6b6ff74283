/** For tests: an environment's row with all its defaults, and the description of an adapter that runs modules. */
import type { AdapterDescription, EnvironmentHandle } from "./environment.ts";
import { INLINE_ADAPTER } from "./environment.ts";

export function environmentOf(name: string, changes: Partial<EnvironmentHandle> = {}): EnvironmentHandle {
  return {
    name,
    description: "",
    active: true,
    adapter: name,
    config: {},
    secrets: {},
    capabilities: {},
    digest: `digest of ${name}`,
    openSecrets: async () => ({}),
    ...changes,
  };
}

type Described = Omit<AdapterDescription, "services">;

export function describedAs(name: string, changes: Partial<Described> = {}): Described {
  return { ...INLINE_ADAPTER, name, ...changes };
}
