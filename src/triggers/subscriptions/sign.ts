/**
 * Signs as Standard Webhooks 1.0 says, with every secret, so that a receiver who knows the old or the new one takes it while
 * one replaces the other. Keys and bytes are those of the scheme by which webhooks verify the same.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { utf8, type Bytes } from "../webhooks/schemes/scheme.ts";
import { keyOf, signatureOf } from "../webhooks/schemes/standard.ts";

export type Signed = { id: string; timestampS: number; body: string };

/** The headers that prove it. Throws secret_unavailable for a secret that is no base64 text. */
export async function signatureHeaders(
  { id, timestampS, body }: Signed,
  secrets: readonly string[],
): Promise<Record<string, string>> {
  const timestamp = String(timestampS);
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp };
  if (secrets.length === 0) return headers;
  const content = { id, timestamp, body: utf8(body) };
  const signatures = await Promise.all(secrets.map((secret) => signatureOf(content, usableKey(secret))));
  return { ...headers, "webhook-signature": signatures.join(" ") };
}

function usableKey(secret: string): Bytes {
  const key = keyOf(secret);
  if (key !== undefined) return key;
  throw new SwitchyardError(
    "secret_unavailable",
    "Cannot sign with a secret of the subscription: it must be base64, with or without whsec_ before it, as receivers read it; it is something else",
    { hint: "store a value such as whsec_$(openssl rand -base64 32)" },
  );
}
