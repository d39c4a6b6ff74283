/** Tokens for calls to places: fetched with a form (RFC 6749) or with JSON, cached until five minutes before they expire. */
import { unstarted } from "../adapter.ts";
import { exchange, type Send } from "./exchange.ts";
import type { Authorize } from "./http-call.ts";
import { member, wordsOf } from "./read-refusal.ts";

const EARLY_MS = 5 * 60_000;
const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_KEPT = 200;

/** `member` is where the answer has the token: each of Google's services has a name of its own for it. */
export type TokenRequest = {
  url: string;
  headers?: Readonly<Record<string, string>>;
  member: "access_token" | "id_token" | "token" | "accessToken";
} & ({ form: Readonly<Record<string, string>> } | { json: unknown });
type Refused = Extract<Awaited<ReturnType<Authorize>>, { refused: unknown }>;
type Kept = { token: string; untilMs: number };

/** `key` stands for everything that decides the token. `request` is made only when one is fetched. */
export function tokenCache(now: () => number) {
  const kept = new Map<string, Kept>();
  return {
    async headers(
      key: string,
      { send, renew, signal, name }: { send: Send; renew: boolean; signal?: AbortSignal; name: string },
      request: () => Promise<TokenRequest | Refused>,
    ): ReturnType<Authorize> {
      const has = kept.get(key);
      if (has !== undefined && !renew && has.untilMs > now()) return bearer(has.token);
      const asked = await request();
      if ("refused" in asked) return asked;
      const { url, member: place } = asked;
      const isForm = "form" in asked;
      const came = await exchange(send, {
        url,
        method: "POST",
        headers: {
          ...asked.headers,
          "content-type": isForm ? "application/x-www-form-urlencoded" : "application/json",
          accept: "application/json",
        },
        body: isForm ? new URLSearchParams(asked.form).toString() : JSON.stringify(asked.json),
        maxAnswerBytes: MAX_ANSWER_BYTES,
        ...(signal === undefined ? {} : { signal }),
      });
      const cannot = `Cannot get a token for "${name}"`;
      if (came.kind !== "answer" || came.status >= 500 || came.status === 429) {
        const why = came.kind === "answer" ? wordsOf(came) : "reason" in came ? came.reason : came.kind;
        const detail = `${cannot}: ${new URL(url).origin} must answer; it is not able to: ${why}`;
        return { refused: unstarted("environment_unavailable", detail) };
      }
      const { token, expiresMs } = came.status === 200 ? readToken(came.text, place) : {};
      if (token === undefined) {
        const said = came.status === 200 ? "without a token" : wordsOf(came);
        return {
          refused: unstarted("environment_refused", `${cannot}: the credentials must be taken; it answers ${said}`),
        };
      }
      if (kept.size >= MAX_KEPT) kept.clear();
      // One that lives shorter than the margin is used once.
      kept.set(key, { token, untilMs: now() + (expiresMs ?? 3_600_000) - EARLY_MS });
      return bearer(token);
    },
  };
}

function bearer(token: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } };
}

function readToken(text: string, place: string): { token?: string; expiresMs?: number } {
  try {
    const body: unknown = JSON.parse(text);
    const token = member(body, place);
    const seconds = Number(member(body, "expires_in"));
    if (typeof token !== "string" || token === "") return {};
    return seconds > 0 ? { token, expiresMs: seconds * 1_000 } : { token };
  } catch {
    return {};
  }
}
