/**
 * GitHub: `x-hub-signature-256: sha256=HEX` over the body. Neither the id of the delivery nor a time is signed, so whoever
 * has seen a request can send it again under another id.
 */
import { toHex } from "../../../core/hash.ts";
import { decodeHex } from "./encoding.ts";
import { mac } from "./mac.ts";
import { headerOf, refused, utf8, utf8Key, type Scheme } from "./scheme.ts";

const SIGNATURE = "x-hub-signature-256";

export const github: Scheme = {
  hash: () => "SHA-256",
  key: utf8Key,
  claim({ headers, body }) {
    const header = headerOf(headers, SIGNATURE, /^sha256=[0-9a-fA-F]{64}$/);
    if ("ok" in header) return header;
    const signature = decodeHex(header.text.slice("sha256=".length));
    if (signature === undefined) return refused(`the header ${SIGNATURE} is not hex`);
    const id = headers.get("x-github-delivery");
    if (id !== null && !/^[!-+\--~]{1,100}$/.test(id)) return refused("the header x-github-delivery is malformed");
    return { ok: true, kind: "mac", signatures: [signature], signed: body, ...(id === null ? {} : { id }) };
  },
  proofHeaders: () => [SIGNATURE, "x-hub-signature"],
  async sign({ id, secret, body }) {
    return {
      "x-github-delivery": id,
      [SIGNATURE]: `sha256=${toHex(await mac(utf8(secret), "SHA-256", body))}`,
    };
  },
};
