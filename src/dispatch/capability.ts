/**
 * Capabilities: what a running handler presents when it uses ctx.call. One says whose rights the call has and how deep
 * it is, signed so that neither can be changed. It names no execution, so that one signature serves a minute of calls.
 *
 *     syc.<base64url of {p: principal id, d: depth, e: expiry in ms}>.<base64url of HMAC-SHA-256>
 */
import { SwitchyardError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";

const PREFIX = "syc.";
const MINUTE = 60_000;
/** Outlives the longest invocation that may hold it. */
const LIFETIME = LIMITS.syncTimeoutMaxMs + 2 * MINUTE;
const CACHED_AT_MOST = 1_000;

const encoder = new TextEncoder();

export type Capability = { principalId: string; depth: number };

export function isCapability(bearer: string): boolean {
  return bearer.startsWith(PREFIX);
}

export class Capabilities {
  readonly #key: ReturnType<typeof crypto.subtle.importKey>;
  readonly #now: () => number;
  readonly #issued = new Map<string, { text: string; minute: number }>();

  /** `secret` is shared by every isolate that may verify what another issued. */
  constructor(secret: string, now: () => number = Date.now) {
    this.#key = crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
      "verify",
    ]);
    this.#now = now;
  }

  /** Synchronous for all but the first call of a minute: it is on the way of every call. */
  issue(principalId: string, depth: number): string | Promise<string> {
    const minute = Math.floor(this.#now() / MINUTE);
    const cacheKey = `${depth}:${principalId}`;
    const issued = this.#issued.get(cacheKey);
    return issued?.minute === minute ? issued.text : this.#sign(principalId, depth, minute, cacheKey);
  }

  async #sign(principalId: string, depth: number, minute: number, cacheKey: string): Promise<string> {
    const payload = base64url(
      encoder.encode(JSON.stringify({ p: principalId, d: depth, e: minute * MINUTE + LIFETIME })),
    );
    const signature = await crypto.subtle.sign("HMAC", await this.#key, encoder.encode(payload));
    const text = `${PREFIX}${payload}.${base64url(new Uint8Array(signature))}`;
    if (this.#issued.size >= CACHED_AT_MOST) this.#issued.clear();
    this.#issued.set(cacheKey, { text, minute });
    return text;
  }

  /** Throws `token_unknown` for a forged one and `token_expired` for an old one. */
  async verify(text: string): Promise<Capability> {
    const [payload, signature, ...rest] = text.slice(PREFIX.length).split(".");
    const bytes = signature === undefined ? undefined : fromBase64url(signature);
    const genuine =
      payload !== undefined &&
      bytes !== undefined &&
      rest.length === 0 &&
      (await crypto.subtle.verify("HMAC", await this.#key, bytes, encoder.encode(payload)));
    if (!genuine) {
      throw new SwitchyardError(
        "token_unknown",
        "Cannot accept the capability: its signature is not from this platform",
      );
    }
    const claims = JSON.parse(new TextDecoder().decode(fromBase64url(payload))) as { p: string; d: number; e: number };
    if (claims.e < this.#now()) {
      throw new SwitchyardError(
        "token_expired",
        `Cannot accept the capability: it ended at ${new Date(claims.e).toISOString()}`,
      );
    }
    return { principalId: claims.p, depth: claims.d };
  }
}

export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

export function fromBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
