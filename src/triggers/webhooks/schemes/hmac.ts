/** Any HMAC, as the webhook's row describes it: which header, which encoding, what is signed. */
import type { HmacSettings, Webhook } from "../../../model/triggers.ts";
import { decodeSignature, encodeSignature } from "./encoding.ts";
import { MAC_BYTES, mac } from "./mac.ts";
import { headerOf, joinBytes, refused, utf8, utf8Key, type Incoming, type Refusal, type Scheme } from "./scheme.ts";

const HASHES = { sha1: "SHA-1", sha256: "SHA-256", sha512: "SHA-512" } as const;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;

function settingsOf({ hmac, name }: Webhook): HmacSettings {
  if (hmac === null) throw new TypeError(`the webhook ${name} has the scheme hmac without its settings`);
  return hmac;
}

/** What is signed, with its placeholders filled in. */
function signedOf(
  template: string,
  { method, path, body }: Pick<Incoming, "method" | "path" | "body">,
  { id, timestamp }: { id: string; timestamp: string },
): ReturnType<typeof utf8> {
  const texts: Readonly<Record<string, string>> = {
    "{id}": id,
    "{timestamp}": timestamp,
    "{method}": method,
    "{path}": path,
  };
  return joinBytes(
    template
      .split(/(\{(?:body|id|timestamp|method|path)\})/)
      .map((part) => (part === "{body}" ? body : utf8(texts[part] ?? part))),
  );
}

/** Seconds or milliseconds since the epoch, or RFC 3339. */
function timeOf(text: string): number | undefined {
  // In seconds eleven digits reach the year 5138, in milliseconds twelve begin in 1973.
  if (/^[0-9]{1,11}$/.test(text)) return Number(text) * 1_000;
  if (/^[0-9]{12,15}$/.test(text)) return Number(text);
  const time = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

function optionalHeader(headers: Headers, name: string | null): { text: string } | Refusal {
  return name === null ? { text: "" } : headerOf(headers, name, /^[!-+\--~]{1,255}$/);
}

export const hmac: Scheme = {
  hash: (webhook) => HASHES[settingsOf(webhook).algorithm],
  key: utf8Key,
  claim(incoming, webhook) {
    const settings = settingsOf(webhook);
    const { headers } = incoming;
    const id = optionalHeader(headers, settings.id_header);
    if ("ok" in id) return id;
    const time = optionalHeader(headers, settings.timestamp_header);
    if ("ok" in time) return time;
    const timestampMs = settings.timestamp_header === null ? undefined : timeOf(time.text);
    if (settings.timestamp_header !== null && timestampMs === undefined)
      return refused(
        `the header ${settings.timestamp_header} is no time; it is ${JSON.stringify(time.text.slice(0, 100))}`,
      );
    const header = headerOf(headers, settings.header, /^[ -~]{1,1000}$/);
    if ("ok" in header) return header;
    if (!header.text.startsWith(settings.prefix))
      return refused(`the header ${settings.header} must begin with ${JSON.stringify(settings.prefix)}`);
    const signature = decodeSignature(header.text.slice(settings.prefix.length), settings.encoding);
    const size = MAC_BYTES[HASHES[settings.algorithm]];
    if (signature === undefined || signature.byteLength !== size)
      return refused(`the header ${settings.header} must be ${size} bytes in ${settings.encoding}; it is not`);
    return {
      ok: true,
      kind: "mac",
      signatures: [signature],
      signed: signedOf(settings.signed, incoming, { id: id.text, timestamp: time.text }),
      ...(settings.id_header === null ? {} : { id: id.text }),
      ...(timestampMs === undefined ? {} : { timestampMs }),
    };
  },
  proofHeaders: (webhook) => [settingsOf(webhook).header],
  async sign({ secret, id, timestampMs, ...request }, webhook) {
    const settings = settingsOf(webhook);
    const timestamp = String(Math.floor(timestampMs / 1_000));
    const signed = signedOf(settings.signed, request, { id, timestamp });
    const signature = await mac(utf8(secret), HASHES[settings.algorithm], signed);
    return {
      [settings.header]: settings.prefix + encodeSignature(signature, settings.encoding),
      ...(settings.id_header === null ? {} : { [settings.id_header]: id }),
      ...(settings.timestamp_header === null ? {} : { [settings.timestamp_header]: timestamp }),
    };
  },
};
