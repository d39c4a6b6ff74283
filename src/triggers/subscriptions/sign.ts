/**
 * Signs as Standard Webhooks 1.0 says (standardwebhooks.com): HMAC-SHA256 over `ID.TIMESTAMP.BODY`, with every secret, so
 * that a receiver who knows the old or the new one takes it while one replaces the other.
 */
import { SwitchyardError } from "../../core/errors.ts";

const PREFIX = "whsec_";
const encoder = new TextEncoder();

export type Signed = { id: string; timestampS: number; body: string };

/** The headers that prove it. Throws secret_unavailable for a secret that is no base64 text. */
export async function signatureHeaders(
  { id, timestampS, body }: Signed,
  secrets: readonly string[],
): Promise<Record<string, string>> {
  const headers = { "webhook-id": id, "webhook-timestamp": String(timestampS) };
  if (secrets.length === 0) return headers;
  const content = encoder.encode(`${id}.${timestampS}.${body}`);
  const signatures = await Promise.all(
    secrets.map(async (secret) => {
      const key = await crypto.subtle.importKey("raw", keyOf(secret), { name: "HMAC", hash: "SHA-256" }, false, [
        "sign",
      ]);
      return `v1,${toBase64(new Uint8Array(await crypto.subtle.sign("HMAC", key, content)))}`;
    }),
  );
  return { ...headers, "webhook-signature": signatures.join(" ") };
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  try {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    if (bytes.byteLength > 0) return bytes;
  } catch {
    // Said below.
  }
  throw new SwitchyardError(
    "secret_unavailable",
    "Cannot sign with a secret of the subscription: it must be base64, with or without whsec_ before it, as receivers read it; it is something else",
    { hint: "store a value such as whsec_$(openssl rand -base64 32)" },
  );
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
