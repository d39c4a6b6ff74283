/**
 * Envelope encryption of secrets: each value under its own random key, that key under the master key, both AES-256-GCM
 * with the secret's name as additional data, so that a sealed value moved to another name does not open.
 */
import { noteSecrets } from "../core/redact.ts";
import { SwitchyardError } from "../core/errors.ts";

/** Everything but the master key that opening needs, base64. */
type Sealed = { v: 1; key_iv: string; key: string; iv: string; data: string };

/** CryptoKey, in a way that both runtimes have a name for. */
export type MasterKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const AES = { name: "AES-GCM", length: 256 } as const;
const encoder = new TextEncoder();

/** `text` is 32 random bytes in base64 or base64url. */
export async function importMasterKey(text: string): Promise<MasterKey> {
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  try {
    bytes = fromBase64(text.trim().replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    // Said below: the key itself must not get into a message.
  }
  if (bytes?.length !== 32) {
    throw new SwitchyardError(
      "secret_unavailable",
      "Cannot use the master key: it must be 32 bytes in base64; it is something else",
      {
        hint: "Make one with: openssl rand -base64 32",
      },
    );
  }
  return crypto.subtle.importKey("raw", bytes, AES, false, ["encrypt", "decrypt"]);
}

export async function seal(master: MasterKey, name: string, value: string): Promise<string> {
  const rawKey = crypto.getRandomValues(new Uint8Array(32));
  const key = await crypto.subtle.importKey("raw", rawKey, AES, false, ["encrypt"]);
  const keyIv = crypto.getRandomValues(new Uint8Array(12));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed: Sealed = {
    v: 1,
    key_iv: toBase64(keyIv),
    key: toBase64(await crypto.subtle.encrypt(gcm(keyIv, name), master, rawKey)),
    iv: toBase64(iv),
    data: toBase64(await crypto.subtle.encrypt(gcm(iv, name), key, encoder.encode(value))),
  };
  return JSON.stringify(sealed);
}

export async function open(master: MasterKey, name: string, text: string): Promise<string> {
  try {
    const sealed = JSON.parse(text) as Sealed;
    const rawKey = await crypto.subtle.decrypt(gcm(fromBase64(sealed.key_iv), name), master, fromBase64(sealed.key));
    const key = await crypto.subtle.importKey("raw", rawKey, AES, false, ["decrypt"]);
    const value = new TextDecoder().decode(
      await crypto.subtle.decrypt(gcm(fromBase64(sealed.iv), name), key, fromBase64(sealed.data)),
    );
    noteSecrets([value]);
    return value;
  } catch (cause) {
    throw new SwitchyardError(
      "secret_unavailable",
      `Cannot open the secret "${name}": it must have been sealed with this platform's master key; it was not, or is damaged`,
      { hint: `opctl edit secret ${name} -s value=… seals a new value`, cause },
    );
  }
}

function gcm(iv: Uint8Array<ArrayBuffer>, name: string) {
  return { name: "AES-GCM", iv, additionalData: encoder.encode(name) } as const;
}

function toBase64(bytes: ArrayBuffer | Uint8Array): string {
  let binary = "";
  for (const byte of bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
