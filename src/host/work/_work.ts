/** What the sorts of external work share: how they are asked, and how they say that something failed. Pure. */
import type { Cancellation } from "../../core/cancellation.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { findJsonError } from "../../core/json-error.ts";
import type { InvocationMeta, InvocationResult, LogLine, RetryAdvice } from "../../model/invocation.ts";
import type { Journal } from "./journal.node.ts";

export type WorkOrder = { meta: InvocationMeta; input: string };
export type WorkOptions = {
  cancellation?: Cancellation;
  /** Called as lines come; the result has them too. */
  log: (level: LogLine["level"], message: string) => void;
  /** Where what was started is noted, so that it does not outlive a runner that is killed. */
  journal?: Journal | undefined;
};

export function failed(
  code: ErrorCode,
  detail: string,
  more: { retry?: RetryAdvice["kind"] & ("may" | "never"); logs?: readonly LogLine[]; hint?: string } = {},
): InvocationResult {
  const { retry = "may", logs = [], hint } = more;
  const error = { code, detail, ...(hint === undefined ? {} : { hint }) };
  return { ok: false, error, retry: { kind: retry }, logs };
}

export function timedOut({ operation, timeout_ms: timeoutMs }: InvocationMeta, logs: readonly LogLine[] = []) {
  const detail = `Cannot finish "${operation}": it may take ${timeoutMs} ms; it took longer and was stopped`;
  return failed("timeout", detail, { logs });
}

export function cancelled({ operation }: InvocationMeta, logs: readonly LogLine[] = []) {
  const detail = `Cannot finish "${operation}": its result must be wanted; it was cancelled and stopped`;
  return failed("execution_cancelled", detail, { retry: "never", logs });
}

/** The output of something that speaks JSON, or what is wrong with it. */
export function readOutput(bytes: Uint8Array, operation: string, logs: readonly LogLine[]): InvocationResult {
  const not = (what: string) =>
    failed("output_not_json", `Cannot read the output of "${operation}": it must be one JSON value; ${what}`, { logs });
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes).trim();
  } catch {
    return not("it is not UTF-8");
  }
  if (text === "") return not("it said nothing");
  try {
    JSON.parse(text);
  } catch {
    const { line, column, expected, found } = findJsonError(text);
    return not(`line ${line}, column ${column} must have ${expected}; it has ${found}`);
  }
  return { ok: true, output: text, logs };
}
