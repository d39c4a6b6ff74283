/**
 * Switches a subscription off whose receiver has said that it is gone for good, as Standard Webhooks asks of senders. The
 * platform writes here on its own: the change log says so by the trigger's id, and a row that was changed since is left.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { triggerPrincipalId, type TriggerHandle } from "../../model/triggers.ts";
import type { Registry } from "../../registry/registry.ts";

export async function switchOff(
  { name, digest }: TriggerHandle<"subscription">,
  registry: Pick<Registry, "write">,
): Promise<void> {
  try {
    await registry.write(
      { action: "edit", kind: "subscription", name, patch: { active: false }, ifMatch: digest },
      // One field, and never more rights for anybody; the row's own checks are about who writes the rest of it.
      { id: triggerPrincipalId("subscription", name), name, scopes: ["admin"] },
      { type: "subscription", id: name },
    );
  } catch (error) {
    const code = error instanceof SwitchyardError ? error.code : undefined;
    if (code !== "precondition_failed" && code !== "entity_not_found") throw error;
  }
}
