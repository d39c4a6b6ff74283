/**
 * Tickets: what a job presents when it fetches its order and reports its end. One names its job and when it ends, and is
 * the same text each time it is made, so that starting a job again asks for the same thing.
 *
 *     syj.<base64url of {j: job id, e: expiry in ms}>.<base64url of HMAC-SHA-256 over what stands before>
 *
 * The prefix is signed too: a capability (capability.ts) has the same key and is never a ticket, nor a ticket one.
 */
import { SwitchyardError } from "../core/errors.ts";
import { base64url, fromBase64url } from "./capability.ts";

const PREFIX = "syj.";
const encoder = new TextEncoder();

export class Tickets {
  readonly #key: ReturnType<typeof crypto.subtle.importKey>;
  readonly #now: () => number;

  /** `secret` is shared by every isolate that may verify what another signed. */
  constructor(secret: string, now: () => number = Date.now) {
    this.#key = crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
      "verify",
    ]);
    this.#now = now;
  }

  async sign(jobId: string, expiresAt: number): Promise<string> {
    const signed = PREFIX + base64url(encoder.encode(JSON.stringify({ j: jobId, e: expiresAt })));
    const signature = await crypto.subtle.sign("HMAC", await this.#key, encoder.encode(signed));
    return `${signed}.${base64url(new Uint8Array(signature))}`;
  }

  /** Throws token_unknown for a forged one or another job's, and token_expired for an old one. */
  async verify(text: string, jobId: string): Promise<void> {
    const end = text.lastIndexOf(".");
    const signed = text.slice(0, Math.max(end, 0));
    const bytes = fromBase64url(text.slice(end + 1));
    const genuine =
      signed.startsWith(PREFIX) &&
      bytes !== undefined &&
      (await crypto.subtle.verify("HMAC", await this.#key, bytes, encoder.encode(signed)));
    const claims = genuine ? claimsOf(signed.slice(PREFIX.length)) : undefined;
    if (claims?.j !== jobId) {
      throw new SwitchyardError(
        "token_unknown",
        "Cannot accept the ticket: it must be signed by this platform, for this job; it is not",
      );
    }
    if (claims.e < this.#now()) {
      throw new SwitchyardError(
        "token_expired",
        `Cannot accept the ticket: it ended at ${new Date(claims.e).toISOString()}`,
      );
    }
  }
}

function claimsOf(payload: string): { j: string; e: number } {
  return JSON.parse(new TextDecoder().decode(fromBase64url(payload))) as { j: string; e: number };
}
