/** What Lambda's own errors mean: which are certain that nothing has run, and what helps. */
import { SwitchyardError } from "../../core/errors.ts";
import type { RetryAdvice } from "../../model/invocation.ts";
import type { Outcome } from "../../model/outcome.ts";
import { outcomeOfThrown, unstarted } from "../adapter.ts";

const THROTTLED = /^(TooManyRequests|Throttling|ThrottledException|RequestLimitExceeded)/;
const MISCONFIGURED =
  /^(ResourceNotFound|InvalidRuntime|ResourceNotReady|ResourceConflict|KMS|InvalidZipFile|InvalidSecurityGroup|InvalidSubnet|InvalidParameterValue|SnapStartNotReady)/;
const REFUSED =
  /^(AccessDenied|UnrecognizedClient|ExpiredToken|InvalidSignature|SignatureDoesNotMatch|MissingAuth|IncompleteSignature|InvalidClientTokenId|InvalidAccessKeyId)/;
const TOO_LARGE = /^(RequestTooLarge|RequestEntityTooLarge)/;
/** 5xx that say that the function could not be given a place to run. */
const NO_PLACE = /^(EC2Throttled|EC2Unexpected|EC2AccessDenied|ENILimit|SubnetIPAddressLimit|EFSMount|EFSIO)/;
/** Of Node and of workerd: no connection came about, so nothing was sent. */
const NOT_CONNECTED =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|connection refused|dns/i;

type Thrown = {
  name?: string;
  message?: string;
  retryAfterSeconds?: string;
  code?: string;
  cause?: unknown;
  $metadata?: { httpStatusCode?: number };
};

export function outcomeOfRefusal(thrown: unknown, environment: string): Outcome & { ok: false } {
  if (thrown instanceof SwitchyardError)
    return { ...outcomeOfThrown(thrown), unstarted: true } as Outcome & { ok: false };
  const { name = "Error", message = "", retryAfterSeconds, $metadata } = thrown as Thrown;
  const status = $metadata?.httpStatusCode;
  const detail = `Cannot run in "${environment}": Lambda must take the invocation; it answers ${name}: ${message}`;
  if (status === undefined) return ofConnection(thrown, environment);
  if (THROTTLED.test(name) || status === 429) {
    return unstarted("environment_throttled", detail, { retry: after(retryAfterSeconds) });
  }
  if (TOO_LARGE.test(name) || status === 413) {
    return unstarted("payload_too_large", detail, { retry: { kind: "never" } });
  }
  if (MISCONFIGURED.test(name) || status === 404) return unstarted("environment_misconfigured", detail);
  if (REFUSED.test(name) || status === 401 || status === 403) return unstarted("environment_refused", detail);
  if (NO_PLACE.test(name)) return unstarted("environment_unavailable", detail);
  if (status < 500) return unstarted("environment_misconfigured", detail);
  return { ok: false, error: { code: "environment_unavailable", detail }, retry: { kind: "may" }, logs: [] };
}

function ofConnection(thrown: unknown, environment: string): Outcome & { ok: false } {
  const words = wordsOf(thrown);
  if (NOT_CONNECTED.test(words)) {
    return unstarted(
      "environment_unavailable",
      `Cannot reach Lambda for "${environment}": it must take connections; it does not: ${words}`,
    );
  }
  const detail = `Cannot finish in "${environment}": Lambda's answer must arrive; the connection broke off: ${words}`;
  return { ok: false, error: { code: "executor_lost", detail }, retry: { kind: "may" }, logs: [] };
}

function wordsOf(thrown: unknown): string {
  const words: string[] = [];
  for (let at = thrown, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    words.push(`${(at as Thrown).code ?? ""} ${at.message}`.trim());
  }
  return words.join(": ");
}

function after(seconds: string | undefined): RetryAdvice {
  const value = Number(seconds);
  return seconds !== undefined && value > 0 ? { kind: "after", after_ms: Math.ceil(value * 1_000) } : { kind: "may" };
}
