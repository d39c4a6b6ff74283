/**
 * Standard Webhooks (standardwebhooks.com, specification 1.0): `webhook-id`, `webhook-timestamp` and `webhook-signature`, a
 * list of `v1,BASE64` with spaces between, over `ID.TIMESTAMP.BODY`. Of the asymmetric `v1a` nothing is known here.
 */
import { decodeBase64, encodeBase64, padded } from "./encoding.ts";
import { mac } from "./mac.ts";
import { headerOf, joinBytes, refused, secondsOf, utf8, type Bytes, type Scheme } from "./scheme.ts";

const PREFIX = "whsec_";
/** So many signatures are tried: a sender has two, while one secret replaces another. */
export const MOST_SIGNATURES = 8;

/** undefined: it is no base64, or empty. */
export function keyOf(secret: string): Bytes | undefined {
  const key = decodeBase64(padded(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret));
  return key?.byteLength === 0 ? undefined : key;
}

function signedBy(id: string, timestamp: string, body: Bytes): Bytes {
  return joinBytes([utf8(`${id}.${timestamp}.`), body]);
}

/** One entry of `webhook-signature`. */
export async function signatureOf(
  { id, timestamp, body }: { id: string; timestamp: string; body: Bytes },
  key: Bytes,
): Promise<string> {
  return `v1,${encodeBase64(await mac(key, "SHA-256", signedBy(id, timestamp, body)))}`;
}

export const standard: Scheme = {
  hash: () => "SHA-256",
  key: keyOf,
  claim({ headers, body }) {
    const id = headerOf(headers, "webhook-id", /^[!-~]{1,255}$/);
    if ("ok" in id) return id;
    const time = headerOf(headers, "webhook-timestamp", /^[0-9]{1,12}$/);
    if ("ok" in time) return time;
    const list = headerOf(headers, "webhook-signature", /^[!-~]+(?: [!-~]+)*$/);
    if ("ok" in list) return list;
    const signatures: Bytes[] = [];
    const versions: string[] = [];
    for (const part of list.text.split(" ")) {
      const [, version = "", text = ""] = /^(v[0-9a-z]+),([^,]+)$/.exec(part) ?? [];
      if (version === "") return refused("the header webhook-signature must be a list of VERSION,SIGNATURE");
      versions.push(version);
      if (version !== "v1") continue;
      const signature = decodeBase64(text);
      if (signature?.byteLength !== 32) return refused("a v1 signature must be 32 bytes in base64");
      signatures.push(signature);
    }
    if (versions.length > MOST_SIGNATURES)
      return refused(`there are ${versions.length} signatures; at most ${MOST_SIGNATURES} are tried`);
    if (signatures.length === 0)
      return refused(
        `there is no v1 signature; ${versions.join(", ")} ${versions.length > 1 ? "are" : "is"} unsupported`,
      );
    return {
      ok: true,
      kind: "mac",
      signatures,
      signed: signedBy(id.text, time.text, body),
      id: id.text,
      timestampMs: secondsOf(time.text) ?? Number.NaN,
    };
  },
  proofHeaders: () => ["webhook-signature"],
  async sign({ id, timestampMs, secret, body }) {
    const timestamp = String(Math.floor(timestampMs / 1_000));
    return {
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": await signatureOf({ id, timestamp, body }, keyOf(secret) ?? utf8(secret)),
    };
  },
};
