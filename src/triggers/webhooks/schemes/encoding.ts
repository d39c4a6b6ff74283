/** Signatures as text and as bytes. What is not exactly one encoding of exactly so many bytes is nothing. */
import { toHex } from "../../../core/hash.ts";
import type { Bytes } from "./scheme.ts";

export type SignatureEncoding = "hex" | "base64" | "base64url";

export function decodeHex(text: string): Bytes | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => Number.parseInt(text.slice(2 * at, 2 * at + 2), 16));
}

/** One text for the same bytes and no other, so with its padding. */
export function decodeBase64(text: string): Bytes | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  try {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    return encodeBase64(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** For what is written without padding. */
export function padded(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export function decodeSignature(text: string, encoding: SignatureEncoding): Bytes | undefined {
  switch (encoding) {
    case "hex":
      return decodeHex(text);
    case "base64":
      return decodeBase64(text);
    case "base64url":
      return /[+/]/.test(text) ? undefined : decodeBase64(padded(text.replaceAll("-", "+").replaceAll("_", "/")));
  }
}

export function encodeSignature(bytes: Uint8Array, encoding: SignatureEncoding): string {
  if (encoding === "hex") return toHex(bytes);
  const base64 = encodeBase64(bytes);
  return encoding === "base64" ? base64 : base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
