/** What ECS says instead of starting a task or a service → an outcome. All of it is said before anything has run. */
import type { Outcome } from "../../model/outcome.ts";
import { unstarted } from "../adapter.ts";
import type { EcsRefusal } from "./ecs-api.ts";

const REFUSED =
  /^(?:AccessDenied|UnrecognizedClient|ExpiredToken|InvalidSignature|InvalidClientTokenId|MissingAuthentication|IncompleteSignature|SignatureDoesNotMatch|OptInRequired|NotAuthorized)/;
const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|^LimitExceeded|ServiceUnavailable/;
/** A ClientException that is no mistake of the row's: the account's limit, or AWS is full. */
const FULL = /reached the limit on the number|capacity is unavailable|limit on the number of vCPUs/i;

export function outcomeOfRefusal(refusal: EcsRefusal, name: string): Outcome & { ok: false } {
  const { type, status, message, retryAfterMs } = refusal;
  const said = `Cannot use "${name}": ECS must accept what it is asked for; it says ${type}: ${message}`;
  if (THROTTLED.test(type) || status === 429 || FULL.test(message)) {
    return unstarted("environment_throttled", said, {
      retry: retryAfterMs === undefined ? { kind: "may" } : { kind: "after", after_ms: retryAfterMs },
    });
  }
  if (REFUSED.test(type) || status === 401 || status === 403) return unstarted("environment_refused", said);
  return unstarted("environment_misconfigured", said, { hint: `opctl environment check ${name}` });
}

/** A reason of RunTask's `failures`: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html */
export function outcomeOfFailure(failure: { reason?: string; detail?: string }, name: string): Outcome & { ok: false } {
  const reason = failure.reason ?? "no reason";
  const detail = `Cannot start a task in "${name}": ECS must have room for it; it says ${reason}${failure.detail === undefined ? "" : ` (${failure.detail})`}`;
  const isFull = /^(?:RESOURCE|AGENT|EMPTY CAPACITY PROVIDER)/.test(reason) || FULL.test(reason);
  return unstarted(isFull ? "environment_throttled" : "environment_misconfigured", detail);
}
