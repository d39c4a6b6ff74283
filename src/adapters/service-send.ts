/**
 * One request to a service, carried within its time. Whatever keeps it from being sent is an answer, never thrown: whoever asked
 * may then choose another replica. A path cannot leave what it is under, so it never takes credentials elsewhere.
 */
import { LIMITS } from "../core/limits.ts";
import type { Exchanged, Send } from "./http/exchange.ts";
import { sendAuthorized, type Authorize } from "./http/http-call.ts";
import { untilEnd } from "./http/until-end.ts";
import type { ServiceRequest } from "./service-host.ts";

export type Way = { url: string; send: Send; authorize?: Authorize; isTrusted?: boolean };

/** `way` is found when it is needed: what it throws has been sent to nobody. Never throws. */
export async function sendToService(request: ServiceRequest, way: () => Way | Promise<Way>): Promise<Exchanged> {
  const { method, headers, body, timeoutMs, cancellation } = request;
  if (cancellation?.requested === true) return notSent("nobody wants the result any more");
  return untilEnd<Exchanged>(
    { timeoutMs, cancellation },
    async (signal) => {
      let found: Way;
      try {
        found = await way();
      } catch (thrown) {
        return notSent(thrown instanceof Error ? thrown.message : String(thrown));
      }
      const { url, send, authorize, isTrusted = true } = found;
      const came = await sendAuthorized(
        { send, ...(authorize === undefined ? {} : { authorize }) },
        {
          url,
          method,
          // Those of the environment replace them by name, and names have no case.
          headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
          ...(body === undefined ? {} : { body }),
          signal,
          maxAnswerBytes: LIMITS.jsonBytes,
        },
        isTrusted,
      );
      return came.kind === "refused" ? notSent(came.outcome.error.detail) : came;
    },
    (why) => ({
      kind: "broken_off",
      reason: why === "timeout" ? `it did not answer within ${timeoutMs} ms` : "nobody wants the result any more",
    }),
  );
}

export function notSent(reason: string): Exchanged & { kind: "not_sent" } {
  return { kind: "not_sent", reason };
}

/** The path under the base's own. Throws where it would lead out of it. */
export function urlUnder(base: string, path: string): string {
  const root = base.replace(/\/+$/, "");
  const start = URL.parse(`${root}/`);
  const url = path.startsWith("/") ? URL.parse(`${root}${path}`) : null;
  if (start !== null && url?.origin === start.origin && url.pathname.startsWith(start.pathname)) return url.href;
  throw new Error(`the path must stay under ${root}; it is ${path.slice(0, 200)}`);
}
