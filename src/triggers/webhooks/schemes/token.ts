/** A token that both sides know, in a header. Nothing is signed: whoever reads one request can send any other. */
import type { Webhook } from "../../../model/triggers.ts";
import { refused, type Scheme } from "./scheme.ts";

const BEARER = { name: "authorization", prefix: "Bearer " };

function headerOfToken({ token_header: header }: Webhook): { name: string; prefix: string } {
  return header ?? BEARER;
}

export const token: Scheme = {
  claim({ headers }, webhook) {
    const { name, prefix } = headerOfToken(webhook);
    const text = headers.get(name);
    if (text === null) return refused(`the header ${name} is missing`);
    // Words such as Bearer are the same in any case (RFC 9110, 11.1).
    if (text.slice(0, prefix.length).toLowerCase() !== prefix.toLowerCase())
      return refused(`the header ${name} must begin with ${JSON.stringify(prefix)}`);
    return { ok: true, kind: "token", token: text.slice(prefix.length) };
  },
  proofHeaders: (webhook) => [headerOfToken(webhook).name],
  async sign({ secret }, webhook) {
    const { name, prefix } = headerOfToken(webhook);
    return { [name]: prefix + secret };
  },
};

/** No proof at all, for rows that say so. */
export const none: Scheme = {
  claim: () => ({ ok: true, kind: "none" }),
  proofHeaders: () => [],
  sign: async () => ({}),
};
