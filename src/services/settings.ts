/** What a service's object goes by: its row, its state machine and how its environment keeps replicas, from the database. */
import type { ServiceHost } from "../adapters/service-host.ts";
import { digestOf } from "../core/hash.ts";
import type { Environment } from "../model/entities.ts";
import { sortOf, type ServiceRow } from "../model/services.ts";
import type { StateMachine } from "../model/state-machines.ts";
import type { Registry } from "../registry/registry.ts";
import type { ServiceSettings } from "./messages.ts";

export type SettingsPorts = {
  registry: Pick<Registry, "triggersNamed" | "manifests">;
  /** How the adapter of that name runs services; undefined: it runs none, or is not there. */
  host: (adapter: string) => ServiceHost | undefined;
};

/** In place of a state machine that is gone: nothing runs. */
const NOTHING: StateMachine = {
  name: "none",
  description: "",
  initial: "off",
  states: { off: { description: "", replicas: 0, revision: "newest" } },
  transitions: [],
};

/** null: there is no such service. */
export async function settingsOf(service: string, { registry, host }: SettingsPorts): Promise<ServiceSettings | null> {
  const [handle] = await registry.triggersNamed("service", [service], { fresh: true });
  if (handle === undefined) return null;
  const { revision: _revision, updated_at: _at, ...row } = handle;
  const machines = await registry.manifests("state_machine", [row.state_machine]);
  const machine = machines.get(row.state_machine)?.manifest as StateMachine | undefined;
  const stored = (await registry.manifests("environment", [row.environment])).get(row.environment);
  const environment = stored?.manifest as Environment | undefined;
  const runs = environment === undefined ? undefined : host(environment.adapter);
  const missing = machine === undefined ? `there is no state machine "${row.state_machine}"` : null;
  return {
    row,
    machine: { ...(machine ?? NOTHING), digest: await digestOf(machine ?? null) },
    unit: runs?.unit ?? null,
    site: await siteOf(row, environment, runs),
    environmentRevision: stored?.revision ?? 0,
    problem: missing ?? problemOf(row, environment, runs),
  };
}

async function siteOf(
  { environment: name }: ServiceRow,
  environment: Environment | undefined,
  host: ServiceHost | undefined,
): Promise<string> {
  const placedBy = (host?.placedBy ?? []).map((setting) => [setting, environment?.config[setting]]);
  const { adapter = "" } = environment ?? {};
  return (await digestOf({ name, adapter, config: Object.fromEntries(placedBy) })).slice(0, 10);
}

/** As the second half of a sentence. */
function problemOf(
  { environment: name, run }: ServiceRow,
  environment: Environment | undefined,
  host: ServiceHost | undefined,
): string | null {
  if (environment === undefined) return `there is no environment "${name}"`;
  if (!environment.active) return `the environment "${name}" is switched off`;
  if (host === undefined) return `the environment "${name}" (${environment.adapter}) runs no services`;
  const sort = sortOf({ run });
  if (sort === null || host.runs.includes(sort)) return null;
  return `the environment "${name}" (${environment.adapter}) runs ${host.runs.join(" and ")}, and this is ${sort}`;
}
