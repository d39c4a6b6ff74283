/**
 * Agents and services, as built-in functions direct them. Both have rights of their own: whoever directs one borrows them, and must have
 * them itself. Directing takes less than looking, so who may not look is told how far it is, and nothing that it knows.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { allows, type Principal } from "../../model/principal.ts";
import type { TriggerHandle } from "../../model/triggers.ts";
import { assertWithinRights } from "../../model/within-rights.ts";
import type { Registry } from "../registry.ts";

type Kind = "agent" | "service";
type Rows = Pick<Registry, "trigger">;

/** Throws entity_not_found. */
export async function rowOf<K extends Kind>(kind: K, name: string, registry: Rows): Promise<TriggerHandle<K>> {
  const row = await registry.trigger(kind, name);
  if (row !== undefined) return row;
  throw new SwitchyardError(
    "entity_not_found",
    `Cannot find the ${kind} "${name}": it must be registered; there is none of that name`,
    { hint: `opctl get ${kind}s` },
  );
}

/** Throws entity_not_found, or forbidden where its rights are not the principal's too. */
export async function directed<K extends Kind>(
  kind: K,
  name: string,
  { principal, registry }: { principal: Principal; registry: Rows },
): Promise<TriggerHandle<K>> {
  const row = await rowOf(kind, name, registry);
  assertWithinRights(principal, { name, scopes: row.scopes, secrets: [] }, { kind, what: "direct the" });
  return row;
}

export function mayLook(principal: Principal): boolean {
  return allows(principal, "registry:read");
}
