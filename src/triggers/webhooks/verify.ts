/**
 * Whether a request comes from who knows one of the webhook's secrets. Fails closed: what is missing, malformed, ambiguous,
 * stale or of the future is refused, and where no secret can be used nothing is accepted. Signatures are compared in
 * constant time, over the bytes as they came.
 *
 * The reason of a refusal is for the record of the delivery. Who sent the request is not told.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { randomBytes } from "../../core/random.ts";
import type { Webhook } from "../../model/triggers.ts";
import { SCHEMES } from "./schemes/index.ts";
import { importKey, type Key } from "./schemes/mac.ts";
import { refused, utf8, type Bytes, type Incoming, type Refusal } from "./schemes/scheme.ts";

export type Verified = {
  ok: true;
  /** What the scheme has for the event in its headers. */
  id: string | undefined;
  timestampMs: number | undefined;
  /** What was signed, where a time is part of it: no two requests have it in common but by being the same. */
  signed: Bytes | undefined;
};

/** `secrets`: the values, always the same array for the same ones. Throws secret_unavailable. */
export async function verify(
  incoming: Incoming,
  { webhook, secrets, nowMs }: { webhook: Webhook; secrets: readonly string[]; nowMs: number },
): Promise<Verified | Refusal> {
  const claim = SCHEMES[webhook.scheme].claim(incoming, webhook);
  if (!claim.ok) return claim;
  switch (claim.kind) {
    case "none":
      return { ok: true, id: undefined, timestampMs: undefined, signed: undefined };
    case "token":
      return (await isOneOf(claim.token, usable(webhook, secrets)))
        ? { ok: true, id: undefined, timestampMs: undefined, signed: undefined }
        : refused("the token is none of the webhook's secrets");
    case "mac": {
      const { signatures, signed, id, timestampMs } = claim;
      const late = timestampMs === undefined ? undefined : lateness(nowMs - timestampMs, webhook.tolerance_s * 1_000);
      if (late !== undefined) return refused(late);
      for (const key of await keysOf(webhook, secrets)) {
        for (const signature of signatures) {
          if (await crypto.subtle.verify("HMAC", key, signature, signed))
            return { ok: true, id, timestampMs, signed: timestampMs === undefined ? undefined : signed };
        }
      }
      return refused(
        secrets.length > 1 ? "no signature is by one of the secrets" : "the signature is not by the secret",
      );
    }
  }
}

function lateness(ageMs: number, toleranceMs: number): string | undefined {
  if (Math.abs(ageMs) <= toleranceMs) return undefined;
  const seconds = Math.round(Math.abs(ageMs) / 1_000);
  return Number.isNaN(ageMs)
    ? "the time is none"
    : `the time is ${seconds} s ${ageMs > 0 ? "ago" : "ahead"}; at most ${toleranceMs / 1_000} s are tolerated`;
}

/** Imported once for the secrets of one row as it is; both go when the row or a secret changes. */
const imported = new WeakMap<readonly string[], Promise<Key[]>>();

async function keysOf(webhook: Webhook, secrets: readonly string[]): Promise<Key[]> {
  const known = imported.get(secrets);
  if (known !== undefined) return known;
  const scheme = SCHEMES[webhook.scheme];
  const keys = secrets.map((secret) => scheme.key?.(secret)).filter((key) => key !== undefined);
  if (keys.length === 0) throw noSecret(webhook);
  const importing = Promise.all(keys.map((key) => importKey(key, scheme.hash?.(webhook) ?? "SHA-256")));
  imported.set(secrets, importing);
  return importing;
}

function usable(webhook: Webhook, secrets: readonly string[]): readonly string[] {
  const some = secrets.filter((secret) => secret !== "");
  if (some.length === 0) throw noSecret(webhook);
  return some;
}

function noSecret({ name, scheme, secrets }: Webhook): SwitchyardError {
  return new SwitchyardError(
    "secret_unavailable",
    `Cannot verify requests to the webhook "${name}": one of its secrets must be a key for the scheme ${scheme}; ${secrets.join(", ") || "none"} is not`,
    scheme === "standard" ? { hint: "A secret of Standard Webhooks is whsec_ and at least 24 bytes in base64." } : {},
  );
}

let comparing: Promise<Key> | undefined;

/** MACs under a key that nobody knows are compared, so that neither length nor content shows in the time it takes. */
async function isOneOf(text: string, secrets: readonly string[]): Promise<boolean> {
  comparing ??= importKey(Uint8Array.from(randomBytes(32)), "SHA-256");
  const key = await comparing;
  const mac = await crypto.subtle.sign("HMAC", key, utf8(text));
  let found = false;
  for (const secret of secrets) found = (await crypto.subtle.verify("HMAC", key, mac, utf8(secret))) || found;
  return found;
}
