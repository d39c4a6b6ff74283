/** What a function that ran came to, when Lambda says that it failed. */
import type { ErrorCode } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { LogLine } from "../../model/invocation.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { AdapterCall } from "../adapter.ts";

type About = { isHost: boolean; nowMs: number };
type Answer = { Payload?: Uint8Array | undefined; LogResult?: string | undefined };

export function outcomeOfFunctionError(answer: Answer, call: AdapterCall, { isHost, nowMs }: About): Outcome {
  const { type, message } = errorIn(new TextDecoder().decode(answer.Payload ?? undefined));
  const code = codeOf(type, message, isHost);
  return {
    ok: false,
    error: { code, detail: `"${call.operation.name}" has failed on Lambda: ${type}: ${message}` },
    retry: { kind: code === "payload_too_large" ? "never" : "may" },
    logs: linesOf(answer.LogResult, nowMs),
  };
}

function codeOf(type: string, message: string, isHost: boolean): ErrorCode {
  if (type === "Sandbox.Timedout" || /Task timed out after/.test(message)) return "timeout";
  if (/ResponseSizeTooLarge/.test(type)) return "payload_too_large";
  // The host answers what handlers throw, so an error of its own is the host's end.
  return isHost || /^Runtime\.(ExitError|OutOfMemory)/.test(type) ? "executor_lost" : "implementation_failed";
}

function errorIn(payload: string): { type: string; message: string } {
  try {
    const { errorType = "Error", errorMessage = "" } = JSON.parse(payload) as Record<string, unknown>;
    return { type: String(errorType), message: String(errorMessage) };
  } catch {
    return { type: "Error", message: payload.slice(0, LIMITS.logLineChars) };
  }
}

/** Lambda's own lines, as text and as JSON. */
const OF_LAMBDA =
  /^(?:(?:START|END|REPORT) RequestId: |INIT_START |INIT_REPORT |XRAY TraceId: |\{.*"type":\s*"platform\.)/;

/** The last 4 KB that the function wrote, which Lambda sends along, all at the time when it came. */
export function linesOf(tail: string | undefined, atMs: number): LogLine[] {
  if (tail === undefined) return [];
  const text = new TextDecoder().decode(Uint8Array.from(atob(tail), (char) => char.charCodeAt(0)));
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !OF_LAMBDA.test(line));
  return lines.map((message) => ({ level: "info", message: message.slice(0, LIMITS.logLineChars), at_ms: atMs }));
}
