/** HMAC by WebCrypto: of what is to be proved, and for whoever signs a test. */
import type { Bytes } from "./scheme.ts";

/** The global CryptoKey is a type to one of our runtimes' types and a value to the other's. */
export type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export function importKey(key: Bytes, hash: string): Promise<Key> {
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash }, false, ["sign", "verify"]);
}

export async function mac(key: Bytes, hash: string, signed: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", await importKey(key, hash), signed));
}

/** Bytes of each hash's HMAC. Any other number is no signature. */
export const MAC_BYTES: Readonly<Record<string, number>> = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 };
