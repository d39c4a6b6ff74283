/** Webhooks fail closed: one without a secret is refused unless its row says `unsigned: true` in so many words. */
import { signsTime, TOLERANCE_S, type Webhook } from "../../model/triggers.ts";
import { grantSecrets, listedSecrets } from "./grant-secrets.ts";
import { refuse, type KindRules } from "./rules.ts";
import { checkExpression, checkScopes, startedOperation } from "./trigger.ts";

export const webhookRules: KindRules<"webhook"> = {
  restore: (manifest, _resolved, context) => webhookRules.settle(manifest, context),
  async settle(manifest, context) {
    checkScheme(manifest);
    checkTime(manifest);
    await checkExpression("webhook", manifest, "mapping");
    await checkExpression("webhook", manifest, "dedupe");
    checkScopes("webhook", manifest, context);
    const { name, secrets } = manifest;
    const operation = await startedOperation("webhook", manifest, context);
    const { group } = operation.manifest;
    const what = `the webhook "${name}"`;
    const used = await grantSecrets({ what, group, secrets: listedSecrets(secrets) }, context);
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

/** What is not signed can be changed by whoever passes it on, so a time that is not would only look like protection. */
function checkTime(webhook: Webhook): void {
  const { name, scheme, hmac, tolerance_s: toleranceS } = webhook;
  if (!signsTime(webhook) && toleranceS !== TOLERANCE_S) {
    throw refuse(
      "setting_unsupported",
      "/tolerance_s",
      `Cannot store the webhook "${name}": tolerance_s has a meaning only where a time is signed; the scheme ${scheme} signs none here`,
    );
  }
  if (hmac === null) return;
  for (const [placeholder, field, must] of [
    ["{timestamp}", "timestamp_header", true],
    ["{id}", "id_header", false],
  ] as const) {
    const isSigned = hmac.signed.includes(placeholder);
    const isNamed = hmac[field] !== null;
    if (isSigned === isNamed || (!must && isNamed)) continue;
    throw refuse(
      "definition_invalid",
      isNamed ? "/hmac/signed" : `/hmac/${field}`,
      isNamed
        ? `Cannot store the webhook "${name}": a time must be signed to mean anything; ${JSON.stringify(hmac.signed)} has no ${placeholder}`
        : `Cannot store the webhook "${name}": ${field} must name the header of what is signed as ${placeholder}; it is null`,
    );
  }
}
