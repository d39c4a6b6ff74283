/**
 * What a job reports of its end. A host sends a reply frame (host-protocol.ts); a container of the team's own sends plain
 * JSON: `{"output": …}` or `{"error": {"detail": "…", "retry": "may"|"never"}}`. Jobs run users' code, so nothing is taken on trust.
 */
import { HOST_PROTOCOL, parseReply, type HostReply } from "../model/host-protocol.ts";
import { splitFrame } from "../model/frame.ts";
import type { RetryAdvice } from "../model/invocation.ts";

/** undefined: it is neither. */
export function parseReport(text: string): HostReply | undefined {
  if (isFrame(text)) return parseReply(text);
  const report = parseObject(text);
  if (report === undefined) return undefined;
  if (Object.hasOwn(report, "output") && !Object.hasOwn(report, "error")) {
    return { kind: "result", result: { ok: true, output: JSON.stringify(report["output"]), logs: [] } };
  }
  const error: unknown = report["error"];
  const detail = typeof error === "object" && error !== null ? (error as { detail?: unknown }).detail : undefined;
  if (typeof detail !== "string") return undefined;
  return {
    kind: "result",
    result: {
      ok: false,
      error: { code: "implementation_failed", detail },
      retry: retryOf((error as { retry?: unknown }).retry),
      logs: [],
    },
  };
}

/** Why a text that parseReport() does not know is refused, as a sentence's end. */
export const REPORT_RULE = `it must be a host's reply (protocol ${HOST_PROTOCOL}), {"output": …} or {"error": {"detail": "…", "retry": "may" | "never"}}`;

function isFrame(text: string): boolean {
  const head = parseObject(splitFrame(text)[0]);
  return head !== undefined && (typeof head["ok"] === "boolean" || head["need"] === "definition");
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function retryOf(retry: unknown): RetryAdvice {
  return { kind: retry === "never" ? "never" : "may" };
}
