/** Subscriptions: a URL or an operation, and what is sent to a URL is signed unless the row says otherwise. */
import { SwitchyardError } from "../../core/errors.ts";
import { destinationFault } from "../../model/destination.ts";
import type { Subscription } from "../../model/triggers.ts";
import { allows } from "../../model/principal.ts";
import { DELIVERY_FUNCTION } from "../builtins/delivery-function.ts";
import { grantSecrets, listedSecrets } from "./grant-secrets.ts";
import { refuse, type KindRules } from "./rules.ts";
import { checkExpression, checkScopes, startedOperation } from "./trigger.ts";

export const subscriptionRules: KindRules<"subscription"> = {
  restore: (manifest, _resolved, context) => subscriptionRules.settle(manifest, context),
  async settle(manifest, context) {
    const { name, operation, secrets, network } = manifest;
    checkTarget(manifest);
    checkRetry(manifest);
    await checkExpression("subscription", manifest, "mapping");
    checkScopes("subscription", manifest, context);
    if (network === "private" && !allows(context.principal, "admin")) {
      throw new SwitchyardError(
        "forbidden",
        `Cannot write the subscription "${name}": network private needs the scope admin; the token has ${context.principal.scopes.join(", ")}`,
      );
    }
    const what = `the subscription "${name}"`;
    const uses = await grantSecrets({ what, group: undefined, secrets: listedSecrets(secrets) }, context);
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
      url === null ? "-s url=https://… or -s operation=NAME" : "-s url=null or -s operation=null takes one away",
    );
  }
  if (url !== null && (secrets.length === 0) !== unsigned) {
    throw refuse(
      "definition_invalid",
      "/unsigned",
      `Cannot store the subscription "${name}": unsigned must be true without secrets, and false with some; it is ${String(unsigned)} with ${secrets.length}`,
    );
  }
  const fault = url === null ? undefined : destinationFault(url, manifest.network);
  if (fault !== undefined) {
    throw refuse(
      "destination_forbidden",
      "/url",
      `Cannot store the subscription "${name}": its url ${fault}; it is ${url}`,
    );
  }
  if (operation === DELIVERY_FUNCTION) {
    throw refuse(
      "definition_invalid",
      "/operation",
      `Cannot store the subscription "${name}": it must start an operation of the team's; ${DELIVERY_FUNCTION} is how subscriptions are told`,
    );
  }
  if (operation !== null && operations.includes(operation)) {
    throw refuse(
      "definition_invalid",
      "/operation",
      `Cannot store the subscription "${name}": an operation must not be started by its own end; "${operation}" would be, for ever`,
      `start another operation, or take "${operation}" out of operations`,
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

function checkRetry({ name, retry }: Subscription): void {
  if (retry === null || retry.initial_ms <= retry.max_ms) return;
  throw refuse(
    "definition_invalid",
    "/retry/initial_ms",
    `Cannot store the subscription "${name}": initial_ms must be at most max_ms, which is ${retry.max_ms}; it is ${retry.initial_ms}`,
  );
}
