/**
 * Uses a secret. The operation's row must list it, and it never shows in logs or errors:
 *
 *     opctl secret set signing_key
 *     opctl deploy examples/sign.ts#sign
 *     opctl edit operation sign -s 'secrets=["signing_key"]'
 */
import type { Context } from "switchyard";

export interface SignInput {
  message: string;
}

export interface SignOutput {
  /** HMAC-SHA-256 of the message, in lower-case hex.
   * @pattern ^[0-9a-f]{64}$
   */
  signature: string;
}

/** Signs a message with the secret `signing_key`. */
export async function sign(input: SignInput, ctx: Context): Promise<SignOutput> {
  const key = ctx.secrets["signing_key"];
  if (key === undefined) {
    // No retry mends a missing setting.
    throw Object.assign(new Error('The operation must list the secret "signing_key".'), { code: "terminal" });
  }
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", encoder.encode(key), algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", imported, encoder.encode(input.message));
  return { signature: [...new Uint8Array(signature)].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
}
