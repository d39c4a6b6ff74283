/**
 * Along with an execution until it ends, its client goes, or the time that a client waits is over. It goes on by itself in
 * the last two cases, unless it is to be given up with its client.
 */
import type { CallToolResult } from "@modelcontextprotocol/server";
import type { ErrorData } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Watched } from "../../executions/port.ts";
import { isFinal } from "../../model/execution-states.ts";
import type { Platform } from "../context.ts";
import { toErrorResult, toResult } from "./result.ts";

/** One question to the shard, and the longest that nothing is sent. */
const ASK_MS = 20_000;

export type Following = {
  /** The client has gone, or wants no answer any more. `abandon`: then the execution is cancelled. */
  signal: AbortSignal;
  abandon: boolean;
  /** Somebody followed it before: what there was to tell by now has been told. */
  again: boolean;
  /** Where the client wants to hear of it. Numbers rise, also from one follower to the next. */
  progress: ((message: string, number: number) => Promise<void>) | undefined;
  log: ((line: { level: string; message: string }) => Promise<void>) | undefined;
};

type Options = Following & { wrapped: boolean | undefined };
type Ports = Pick<Platform, "dispatch" | "executions" | "background">;

export async function follow(
  id: string,
  { signal, abandon, again, progress, log, wrapped }: Options,
  { executions, background, dispatch }: Ports,
): Promise<CallToolResult> {
  let leftMs: number = progress === undefined ? LIMITS.agentWaitMs : LIMITS.waitMaxMs;
  const gone = new Promise<"gone">((resolve) => {
    if (signal.aborted) resolve("gone");
    signal.addEventListener("abort", () => resolve("gone"), { once: true });
  });
  let [version, afterLog] = [0, 0];
  for (let told = again; ; told = false) {
    const askedAt = dispatch.now();
    const waitMs = Math.max(0, Math.min(ASK_MS, leftMs));
    const watched: Watched | undefined | "gone" = await Promise.race([
      gone,
      executions.watch(id, { version, afterLog, waitMs }),
    ]);
    if (watched === "gone") {
      if (abandon) background(executions.cancel(id).catch(() => undefined));
      return toErrorResult(unfinished(id, "running"), id);
    }
    if (watched === undefined) return toErrorResult(lost(id), id);
    const { view, logs } = watched;
    for (const { seq, level, message } of logs) {
      afterLog = Math.max(afterLog, seq);
      if (told) continue;
      await log?.({ level, message });
      await progress?.(message, version + afterLog);
    }
    const final = isFinal(view.status);
    // More lines may be there than one answer takes; an answer without any comes after the last, and at once.
    if (final && logs.length > 0) continue;
    if (final) {
      if (view.status !== "succeeded") return toErrorResult(view.error ?? unfinished(id, view.status), id);
      const output = await executions.output(id);
      return output === undefined ? toErrorResult(lost(id), id) : toResult(output, { wrapped, executionId: id });
    }
    if (watched.version > version) {
      version = watched.version;
      if (!told) await progress?.(stateOf(view), version + afterLog);
    }
    leftMs -= Math.max(0, dispatch.now() - askedAt);
    if (leftMs <= 0) return toErrorResult(unfinished(id, view.status), id);
  }
}

function stateOf({ status, attempt, error }: Watched["view"]): string {
  return `${status}${attempt === 0 ? "" : `, attempt ${attempt}`}${error === null ? "" : `: ${error.detail}`}`;
}

function unfinished(id: string, status: string): ErrorData {
  return {
    code: "execution_unfinished",
    detail: `Cannot answer with the output of "${id}" yet: it must have ended; it is ${status}, and goes on`,
    hint: `read the resource switchyard:///executions/${id} later, or GET /executions/${id}/output`,
  };
}

function lost(id: string): ErrorData {
  return { code: "entity_not_found", detail: `Cannot find the execution "${id}" any more: it must be kept; it is not` };
}
