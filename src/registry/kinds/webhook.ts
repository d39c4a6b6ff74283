/** Webhooks fail closed: one without a secret is refused unless its row says `unsigned: true` in so many words. */
import type { Webhook } from "../../model/triggers.ts";
import { refuse, type KindRules } from "./rules.ts";
import { checkScopes, startedOperation, useSecrets } from "./trigger.ts";

export const webhookRules: KindRules<"webhook"> = {
  restore: (manifest, _resolved, context) => webhookRules.settle(manifest, context),
  async settle(manifest, context) {
    checkScheme(manifest);
    checkScopes("webhook", manifest, context);
    const { name, secrets } = manifest;
    const operation = await startedOperation("webhook", manifest, context);
    const used = await useSecrets("webhook", { name, secrets, group: operation.manifest.group }, context);
    return { manifest, resolved: {}, uses: [operation.use, ...used] };
  },
};

function checkScheme({ name, scheme, secrets, unsigned, hmac, token_header: tokenHeader }: Webhook): void {
  if ((scheme === "none") !== unsigned) {
    throw refuse(
      "definition_invalid",
      "/unsigned",
      `Cannot store the webhook "${name}": unsigned must be true with the scheme none and with no other; it is ${String(unsigned)} with ${scheme}`,
      scheme === "none"
        ? "Anybody who knows the address could call it. If that is meant, say unsigned: true."
        : undefined,
    );
  }
  if ((scheme === "none") !== (secrets.length === 0)) {
    throw refuse(
      "definition_invalid",
      "/secrets",
      `Cannot store the webhook "${name}": the scheme ${scheme} needs ${scheme === "none" ? "no secret" : "at least one secret"}; it has ${secrets.length}`,
      scheme === "none" ? undefined : "opctl secret set NAME, then secrets: [NAME]",
    );
  }
  if (scheme === "hmac" && hmac === null) {
    throw refuse(
      "definition_invalid",
      "/hmac",
      `Cannot store the webhook "${name}": hmac must say how the sender signs with the scheme hmac; it is null`,
    );
  }
  const idle = { hmac: hmac !== null && scheme !== "hmac", token_header: tokenHeader !== null && scheme !== "token" };
  for (const [field, set] of Object.entries(idle)) {
    if (!set) continue;
    throw refuse(
      "setting_unsupported",
      `/${field}`,
      `Cannot store the webhook "${name}": ${field} has no meaning with the scheme ${scheme}; it must be null`,
    );
  }
}
