/**
 * A place's own API of JSON over HTTP (Cloud Run's, Azure's), with credentials. It tells refusals, after which it is
 * certain that nothing was done, from answers that leave it open, which are thrown: whoever starts work asks again then.
 */
import type { Outcome } from "../../model/outcome.ts";
import { unstarted } from "../adapter.ts";
import { sendAuthorized, type HttpPlace } from "./http-call.ts";
import { readRefusal, wordsOf } from "./read-refusal.ts";

const ANSWER_MS = 20_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export type ApiAnswer<Body> = { body: Body } | { refused: Outcome & { ok: false }; status: number | undefined };
export type JsonApi = <Body>(method: "GET" | "POST", url: string, body?: unknown) => Promise<ApiAnswer<Body>>;

/** Throws where it is not known whether it was done. `now` is the clock of Retry-After. */
export function jsonApi(place: Pick<HttpPlace, "name" | "send" | "authorize">, now: () => number): JsonApi {
  return async <Body>(method: "GET" | "POST", url: string, body?: unknown): Promise<ApiAnswer<Body>> => {
    const came = await sendAuthorized(place, {
      url,
      method,
      headers: { accept: "application/json", ...(method === "POST" ? { "content-type": "application/json" } : {}) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS),
      maxAnswerBytes: MAX_ANSWER_BYTES,
    });
    if (came.kind === "refused") return { refused: came.outcome, status: undefined };
    if (came.kind !== "answer") {
      throw new Error(`${new URL(url).origin} did not answer: ${"reason" in came ? came.reason : came.kind}`);
    }
    const { status, text } = came;
    if (status >= 200 && status < 300) return { body: (text === "" ? {} : JSON.parse(text)) as Body };
    if (status >= 500) throw new Error(`${new URL(url).origin} failed: ${wordsOf(came)}`);
    const what = `a job in "${place.name}"`;
    const refused =
      readRefusal(came, what, now()) ??
      unstarted(
        "environment_misconfigured",
        `Cannot run ${what}: the place must accept it; it answers ${wordsOf(came)}`,
      );
    return { refused, status };
  };
}

/** For steps that have no outcome of their own. */
export class ApiRefusal extends Error {
  override readonly name = "ApiRefusal";
  readonly outcome: Outcome & { ok: false };

  constructor(outcome: Outcome & { ok: false }) {
    super(outcome.error.detail);
    this.outcome = outcome;
  }
}

export function bodyOf<Body>(answer: ApiAnswer<Body>): Body {
  if ("refused" in answer) throw new ApiRefusal(answer.refused);
  return answer.body;
}
