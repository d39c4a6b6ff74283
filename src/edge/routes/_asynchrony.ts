/** What a call says about itself: Prefer, Idempotency-Key, traceparent, Min-Registry-Revision, ?delay_ms= and ?expires_ms=. */
import { SwitchyardError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Call } from "../../dispatch/dispatch.ts";
import type { RouteContext } from "../context.ts";
import { parseIdempotencyKey } from "../idempotency.ts";
import { integerOf } from "../parameters.ts";
import { parsePrefer } from "../prefer.ts";

/** As dispatch takes it: absent is what nobody asked for. */
export type Asynchrony = Pick<Call, "async" | "waitMs" | "idempotencyKey" | "delayMs" | "expiresMs">;

/** Throws bad_request. That a synchronous call can neither be delayed nor expire is dispatch's to say. */
export function asynchronyOf(context: RouteContext): Asynchrony {
  const delayMs = durationOf(context, "delay_ms");
  const expiresMs = durationOf(context, "expires_ms");
  return {
    ...asynchronyOfHeaders(context.req.raw.headers),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  };
}

/** Where the query is the operation's own. */
export function asynchronyOfHeaders(headers: Headers): Asynchrony {
  const { respondAsync, waitMs } = parsePrefer(headers.get("prefer"));
  const idempotencyKey = parseIdempotencyKey(headers.get("idempotency-key"));
  return {
    ...(respondAsync ? { async: true } : {}),
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

export function minRegistryRevisionOf(headers: Headers): { minRegistryRevision?: number } {
  const text = headers.get("min-registry-revision");
  if (text === null) return {};
  if (/^[0-9]{1,15}$/.test(text)) return { minRegistryRevision: Number(text) };
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the header Min-Registry-Revision: it must be a whole number; it is "${text.slice(0, 100)}"`,
  );
}

function durationOf(context: RouteContext, parameter: string): number | undefined {
  const text = context.req.query(parameter);
  return text === undefined ? undefined : integerOf(text, parameter, { min: 0, max: LIMITS.delayMaxMs });
}
