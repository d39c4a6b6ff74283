/** Stripe: `stripe-signature: t=SECONDS,v1=HEX,…` over `TIMESTAMP.BODY`. One event keeps its id in all tries to deliver it. */
import { toHex } from "../../../core/hash.ts";
import { decodeHex } from "./encoding.ts";
import { mac } from "./mac.ts";
import { headerOf, joinBytes, refused, secondsOf, textAt, utf8, utf8Key, type Bytes, type Scheme } from "./scheme.ts";
import { MOST_SIGNATURES } from "./standard.ts";

const SIGNATURE = "stripe-signature";

export const stripe: Scheme = {
  hash: () => "SHA-256",
  key: utf8Key,
  claim({ headers, body }) {
    const header = headerOf(headers, SIGNATURE, /^[a-z0-9]+=[^,=\s]+(?:,[a-z0-9]+=[^,=\s]+)*$/);
    if ("ok" in header) return header;
    let time: string | undefined;
    const signatures: Bytes[] = [];
    const parts = header.text.split(",");
    if (parts.length > MOST_SIGNATURES + 1)
      return refused(
        `there are ${parts.length} parts in ${SIGNATURE}; at most ${MOST_SIGNATURES} signatures are tried`,
      );
    for (const part of parts) {
      const [name = "", value = ""] = part.split("=");
      if (name === "t") {
        if (time !== undefined) return refused(`the header ${SIGNATURE} has two times`);
        time = value;
      } else if (name === "v1") {
        const signature = decodeHex(value);
        if (signature?.byteLength !== 32) return refused("a v1 signature must be 32 bytes in hex");
        signatures.push(signature);
      }
    }
    const timestampMs = time === undefined ? undefined : secondsOf(time);
    if (timestampMs === undefined) return refused(`the header ${SIGNATURE} has no time t=SECONDS`);
    if (signatures.length === 0) return refused(`the header ${SIGNATURE} has no v1 signature`);
    return { ok: true, kind: "mac", signatures, signed: joinBytes([utf8(`${time}.`), body]), timestampMs };
  },
  proofHeaders: () => [SIGNATURE],
  eventIn: (body) => textAt(body, "id"),
  async sign({ timestampMs, secret, body }) {
    const time = Math.floor(timestampMs / 1_000);
    const signature = await mac(utf8(secret), "SHA-256", joinBytes([utf8(`${time}.`), body]));
    return { [SIGNATURE]: `t=${time},v1=${toHex(signature)}` };
  },
};
