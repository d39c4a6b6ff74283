/** What a call says about its time: Prefer, Idempotency-Key, ?delay_ms= and ?expires_ms=. */
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
  const { headers } = context.req.raw;
  const { respondAsync, waitMs } = parsePrefer(headers.get("prefer"));
  const idempotencyKey = parseIdempotencyKey(headers.get("idempotency-key"));
  const delayMs = durationOf(context, "delay_ms");
  const expiresMs = durationOf(context, "expires_ms");
  return {
    ...(respondAsync ? { async: true } : {}),
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  };
}

function durationOf(context: RouteContext, parameter: string): number | undefined {
  const text = context.req.query(parameter);
  return text === undefined ? undefined : integerOf(text, parameter, { min: 0, max: LIMITS.delayMaxMs });
}
