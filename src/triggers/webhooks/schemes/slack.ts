/**
 * Slack: `x-slack-signature: v0=HEX` over `v0:TIMESTAMP:BODY`. Before it sends events it asks with a `url_verification`
 * whether the address is ours; that request is signed as any other.
 */
import { toHex } from "../../../core/hash.ts";
import { decodeHex } from "./encoding.ts";
import { mac } from "./mac.ts";
import { headerOf, joinBytes, refused, secondsOf, textAt, utf8, utf8Key, type Scheme } from "./scheme.ts";

const SIGNATURE = "x-slack-signature";
const TIME = "x-slack-request-timestamp";

export const slack: Scheme = {
  hash: () => "SHA-256",
  key: utf8Key,
  claim({ headers, body }) {
    const time = headerOf(headers, TIME, /^[0-9]{1,12}$/);
    if ("ok" in time) return time;
    const header = headerOf(headers, SIGNATURE, /^v0=[0-9a-fA-F]{64}$/);
    if ("ok" in header) return header;
    const signature = decodeHex(header.text.slice("v0=".length));
    if (signature === undefined) return refused(`the header ${SIGNATURE} is not hex`);
    return {
      ok: true,
      kind: "mac",
      signatures: [signature],
      signed: joinBytes([utf8(`v0:${time.text}:`), body]),
      timestampMs: secondsOf(time.text) ?? Number.NaN,
    };
  },
  proofHeaders: () => [SIGNATURE],
  eventIn: (body) => textAt(body, "event_id"),
  handshake(body) {
    const challenge = textAt(body, "type") === "url_verification" ? textAt(body, "challenge") : undefined;
    return challenge === undefined ? undefined : { challenge };
  },
  async sign({ timestampMs, secret, body }) {
    const time = String(Math.floor(timestampMs / 1_000));
    const signature = await mac(utf8(secret), "SHA-256", joinBytes([utf8(`v0:${time}:`), body]));
    return { [TIME]: time, [SIGNATURE]: `v0=${toHex(signature)}` };
  },
};
