/** What the outcome of an attempt is to its shard: an end, a failure, a loss, or no attempt at all. */
import { boundedError } from "../core/bounded-error.ts";
import { toErrorData, toSwitchyardError, type ErrorCode, type ErrorData } from "../core/errors.ts";
import { sha256, utf8Length } from "../core/hash.ts";
import type { RetryAdvice } from "../model/invocation.ts";
import type { Outcome } from "../model/outcome.ts";
import { outputKey } from "./artifacts/payload-store.ts";
import type { Claim, Ending } from "./messages.ts";
import type { Payloads } from "./payloads.ts";

/** The platform's own failures, after which an attempt has not begun: it is put back and costs no try. */
const NOT_BEGUN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "registry_unavailable",
  "registry_behind",
  "operation_inactive",
  "no_environment",
  "secret_unavailable",
  "artifact_store_unavailable",
]);
/** What another try of the same revision would meet again. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "operation_not_found",
  "module_invalid",
  "output_too_large",
  "call_depth_exceeded",
  "token_unknown",
  "token_revoked",
  "token_expired",
  "forbidden",
  "payload_lost",
  "payload_too_large",
  "environment_forbids",
]);

export function isHopeless({ error, retry }: { error: ErrorData; retry: RetryAdvice }): boolean {
  return retry.kind === "never" || HOPELESS.has(error.code);
}

export async function endingOf(claim: Claim, outcome: Outcome, { payloads }: { payloads: Payloads }): Promise<Ending> {
  if (!outcome.ok) {
    const { retry, unstarted } = outcome;
    const error = boundedError(outcome.error);
    if (error.code === "executor_lost") return { kind: "lost", error };
    if (NOT_BEGUN.has(error.code) || (unstarted === true && !isHopeless({ error, retry }))) {
      return { kind: "put_back", error, ...(retry.kind === "after" ? { after_ms: retry.after_ms } : {}) };
    }
    return { kind: "failed", error, retry: isHopeless({ error, retry }) ? { kind: "never" } : retry };
  }
  const { output: text } = outcome;
  try {
    return await succeeded(claim, text, payloads);
  } catch (thrown) {
    // It has run; only its result cannot be kept. Another try may find the store back.
    return { kind: "failed", error: toErrorData(toSwitchyardError(thrown)), retry: { kind: "may" } };
  }
}

/** Stores the output where its size says. Throws artifact_store_unavailable. */
export async function succeeded(
  { id, attempt }: Pick<Claim, "id" | "attempt">,
  text: string,
  payloads: Payloads,
): Promise<Ending> {
  const output = await payloads.write(outputKey(id, attempt), text);
  return { kind: "succeeded", output, sha256: await sha256(text), size_bytes: utf8Length(text) };
}
