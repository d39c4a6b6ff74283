/** The headers that mappings see and records keep: all but those that prove or admit. */
import type { Webhook } from "../../model/triggers.ts";
import { SCHEMES } from "./schemes/index.ts";

/** Beyond the scheme's own: whatever is a credential by its name, for us or for something in front of us. */
const CREDENTIAL = /authorization|cookie|signature|secret|token|password|api-?key|jwt/;
/** More than this of headers is not worth keeping; no server sends it. Characters. */
const MAX_CHARS = 32 * 1024;

export function visibleHeaders(headers: Headers, webhook: Webhook): Record<string, string> {
  const proof = SCHEMES[webhook.scheme].proofHeaders(webhook);
  const visible: [string, string][] = [];
  let chars = 0;
  for (const [name, value] of headers) {
    if (proof.includes(name) || CREDENTIAL.test(name)) continue;
    chars += name.length + value.length;
    if (chars > MAX_CHARS) break;
    visible.push([name, value]);
  }
  return Object.fromEntries(visible);
}
