/** Subscriptions: a URL or an operation, and what is sent to a URL is signed unless the row says otherwise. */
import { SwitchyardError } from "../../core/errors.ts";
import type { Subscription } from "../../model/triggers.ts";
import { allows } from "../../model/principal.ts";
import type { Use } from "../draft.ts";
import { refuse, type KindRules } from "./rules.ts";
import { checkScopes, startedOperation, useSecrets } from "./trigger.ts";

export const subscriptionRules: KindRules<"subscription"> = {
  restore: (manifest, _resolved, context) => subscriptionRules.settle(manifest, context),
  async settle(manifest, context) {
    const { name, operation, secrets, network } = manifest;
    checkTarget(manifest);
    checkScopes("subscription", manifest, context);
    if (network === "private" && !allows(context.principal, "admin")) {
      throw new SwitchyardError(
        "forbidden",
        `Cannot write the subscription "${name}": network private needs the scope admin; the token has ${context.principal.scopes.join(", ")}`,
      );
    }
    const uses: Use[] = await useSecrets("subscription", { name, secrets, group: undefined }, context);
    if (operation !== null)
      uses.push((await startedOperation("subscription", { ...manifest, operation }, context)).use);
    return { manifest, resolved: {}, uses };
  },
};

function checkTarget(manifest: Subscription): void {
  const { name, url, operation, secrets, unsigned, operations } = manifest;
  if ((url === null) === (operation === null)) {
    throw refuse(
      "definition_invalid",
      "/url",
      `Cannot store the subscription "${name}": it must have either url or operation; it has ${url === null ? "neither" : "both"}`,
    );
  }
  if (url !== null && (secrets.length === 0) !== unsigned) {
    throw refuse(
      "definition_invalid",
      "/unsigned",
      `Cannot store the subscription "${name}": unsigned must be true without secrets, and false with some; it is ${String(unsigned)} with ${secrets.length}`,
    );
  }
  if (operation !== null && operations.includes(operation)) {
    throw refuse(
      "definition_invalid",
      "/operation",
      `Cannot store the subscription "${name}": an operation must not be started by its own end; "${operation}" would be, for ever`,
    );
  }
  if (operation === null) return;
  const only = { secrets: secrets.length > 0, unsigned, network: manifest.network !== "public" };
  const idle = Object.entries({ ...only, timeout_ms: manifest.timeout_ms !== null, retry: manifest.retry !== null });
  for (const [field, set] of idle) {
    if (!set) continue;
    throw refuse(
      "setting_unsupported",
      `/${field}`,
      `Cannot store the subscription "${name}": ${field} has a meaning only with a url; it calls the operation "${operation}"`,
    );
  }
}
