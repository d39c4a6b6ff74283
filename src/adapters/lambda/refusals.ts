/**
 * What Lambda's own errors mean: which are certain that nothing has run, and what helps. The names are those of the
 * operation Invoke and of AWS's common errors, without "Exception"; what is not listed is never called unstarted.
 */
import { SwitchyardError, type ErrorCode } from "../../core/errors.ts";
import type { RetryAdvice } from "../../model/invocation.ts";
import type { Outcome } from "../../model/outcome.ts";
import { outcomeOfThrown, unstarted } from "../adapter.ts";
import { ConnectionLost, NotSent } from "./client.ts";

/** Said before the function, or its initialization, has begun. */
const BEFORE_START: ReadonlyMap<string, ErrorCode> = new Map([
  ...all("environment_throttled", ["TooManyRequests", "Throttling", "Throttled", "RequestLimitExceeded"]),
  ...all("environment_throttled", ["EC2Throttled", "ServiceQuotaExceeded"]),
  ...all("payload_too_large", ["RequestTooLarge", "RequestEntityTooLarge", "SerializedRequestEntityTooLarge"]),
  ...all("environment_refused", ["AccessDenied", "UnrecognizedClient", "ExpiredToken", "RequestExpired"]),
  ...all("environment_refused", ["InvalidSignature", "SignatureDoesNotMatch", "IncompleteSignature"]),
  ...all("environment_refused", ["MissingAuthenticationToken", "InvalidClientTokenId", "InvalidAccessKeyId"]),
  ...all("environment_refused", ["NotAuthorized", "OptInRequired"]),
  // The call itself.
  ...all("environment_misconfigured", ["InvalidParameterValue", "InvalidRequestContent", "UnsupportedMediaType"]),
  ...all("environment_misconfigured", ["Validation", "ModeNotSupported"]),
  // The function as it is set up.
  ...all("environment_misconfigured", ["ResourceNotFound", "NoPublishedVersion", "InvalidRuntime", "InvalidZipFile"]),
  ...all("environment_misconfigured", ["CodeArtifactUserDeleted", "CodeArtifactUserFailed"]),
  ...all("environment_misconfigured", ["KMSAccessDenied", "KMSDisabled", "KMSInvalidState", "KMSNotFound"]),
  ...all("environment_misconfigured", ["EC2AccessDenied", "InvalidSecurityGroupID", "InvalidSubnetID"]),
  ...all("environment_misconfigured", ["EFSMountFailure", "S3FilesMountFailure"]),
  // It has no place to run yet.
  ...all("environment_unavailable", ["ResourceNotReady", "ResourceConflict", "SnapStartNotReady"]),
  ...all("environment_unavailable", ["CodeArtifactUserPending", "ENINotReady", "ENILimitReached"]),
  ...all("environment_unavailable", ["SubnetIPAddressLimitReached"]),
  ...all("environment_unavailable", ["EFSMountConnectivity", "EFSMountTimeout"]),
  ...all("environment_unavailable", ["S3FilesMountConnectivity", "S3FilesMountTimeout"]),
]);

type Thrown = {
  name?: string;
  message?: string;
  retryAfterSeconds?: string;
  $metadata?: { httpStatusCode?: number };
};

export function outcomeOfRefusal(thrown: unknown, environment: string): Outcome & { ok: false } {
  // Of the platform's own ports: thrown instead of sending.
  if (thrown instanceof SwitchyardError) return { ...failedBy(thrown), unstarted: true };
  if (thrown instanceof NotSent) {
    return unstarted(
      "environment_unavailable",
      `Cannot reach Lambda for "${environment}": it must take connections; it does not: ${thrown.message}`,
    );
  }
  if (thrown instanceof ConnectionLost) {
    return unclear(
      "executor_lost",
      `Cannot finish in "${environment}": Lambda's answer must arrive; it does not: ${thrown.message}`,
    );
  }
  const status = statusOf(thrown);
  if (status === undefined) return failedBy(thrown);
  const { name = "Error", message = "", retryAfterSeconds } = thrown as Thrown;
  const detail = `Cannot run in "${environment}": Lambda must take the invocation; it answers ${status} ${name}: ${message}`;
  const known = BEFORE_START.get(name.replace(/Exception$/, ""));
  // 429 says by itself that nothing was done.
  const code = known ?? (status === 429 ? "environment_throttled" : undefined);
  if (code !== undefined) return unstarted(code, detail, { retry: retryOf(code, retryAfterSeconds) });
  return unclear(codeOfStatus(status), detail);
}

/** The status that Lambda, or what stands before it, has answered with; undefined where nothing has answered. */
export function statusOf(thrown: unknown): number | undefined {
  return (thrown as Thrown | undefined)?.$metadata?.httpStatusCode;
}

/** EFSIO is 410 and EFSMountFailure 403, so a status alone tells only who should look. */
function codeOfStatus(status: number): ErrorCode {
  if (status === 413) return "payload_too_large";
  if (status === 401 || status === 403) return "environment_refused";
  return status < 500 ? "environment_misconfigured" : "executor_lost";
}

function retryOf(code: ErrorCode, seconds: string | undefined): RetryAdvice {
  if (code === "payload_too_large") return { kind: "never" };
  const value = Number(seconds);
  const isSaid = code === "environment_throttled" && seconds !== undefined && value > 0;
  return isSaid ? { kind: "after", after_ms: Math.ceil(value * 1_000) } : { kind: "may" };
}

function unclear(code: ErrorCode, detail: string): Outcome & { ok: false } {
  const kind = code === "payload_too_large" ? "never" : "may";
  return { ok: false, error: { code, detail }, retry: { kind }, logs: [] };
}

const failedBy = (thrown: unknown) => outcomeOfThrown(thrown) as Outcome & { ok: false };

function all(code: ErrorCode, names: readonly string[]): [string, ErrorCode][] {
  return names.map((name) => [name, code]);
}
