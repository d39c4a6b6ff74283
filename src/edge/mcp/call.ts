/**
 * One call of a tool: through dispatch like any other call, and, where its operation is asynchronous, along with its
 * execution until that ends, the client goes, or the time that a client waits is over. The execution goes on by itself in
 * the last case, and the answer says which it is.
 */
import type { CallToolResult } from "@modelcontextprotocol/server";
import { SwitchyardError, toErrorData, toSwitchyardError, type ErrorData } from "../../core/errors.ts";
import { parseJsonText, type ParsedJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { continueTrace } from "../../core/trace.ts";
import { dispatch } from "../../dispatch/dispatch.ts";
import type { Watched } from "../../executions/port.ts";
import { isFinal } from "../../model/execution-states.ts";
import { NAME_PATTERN } from "../../model/names.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import type { Identity, Platform } from "../context.ts";
import { toErrorResult, toResult } from "./result.ts";
import { INPUT, shapeOf } from "./tool.ts";
import { isSeen, type View } from "./view.ts";

/** One question to the shard. */
const ASK_MS = 20_000;

type Line = { level: string; message: string };

export type ToolCall = {
  name: string;
  arguments: Record<string, unknown>;
  traceparent: string | undefined;
  /** The client has gone, or wants no answer any more. `abandon`: then the execution is cancelled too. */
  signal: AbortSignal;
  abandon: boolean;
  /** Where the client wants to hear of it. */
  progress: ((message: string) => Promise<void>) | undefined;
  log: ((line: Line) => Promise<void>) | undefined;
  /** It is kept, and this is its execution; what is answered is called when nobody waits for it any more. */
  onKept(executionId: string): () => void;
};

type Ports = {
  platform: Pick<Platform, "registry" | "dispatch" | "executions" | "background">;
  identity: Identity;
  view: View;
};

/** undefined: there is no such tool, as far as this client can see. Never throws for what the operation did. */
export async function callTool(call: ToolCall, ports: Ports): Promise<CallToolResult | undefined> {
  const { platform, identity, view } = ports;
  const operation = await find(call.name, platform);
  if (operation === undefined || !isSeen(operation, view, identity.principal)) return undefined;
  const { inputWrapped, outputWrapped } = shapeOf(operation);
  let executionId: string | undefined;
  try {
    const answer = await dispatch(
      {
        name: call.name,
        input: inputOf(call, inputWrapped),
        principal: identity.principal,
        caller: { type: "agent", id: identity.principal.id },
        depth: 0,
        traceparent: continueTrace(call.traceparent),
      },
      platform.dispatch,
    );
    const { outcome } = answer;
    executionId = answer.executionId ?? "";
    if (outcome === undefined) {
      const forget = call.onKept(executionId);
      return await follow(executionId, { call, outputWrapped }, platform).finally(forget);
    }
    for (const line of outcome.logs) await call.log?.(line);
    if (!outcome.ok) return toErrorResult(outcome.error, executionId);
    return toResult(outcome.output, { wrapped: outputWrapped, executionId });
  } catch (thrown) {
    const error = toErrorData(toSwitchyardError(thrown));
    return toErrorResult(inputWrapped ? underMember(error) : error, executionId);
  }
}

async function find(name: string, { registry }: Ports["platform"]): Promise<ResolvedOperation | undefined> {
  if (!NAME_PATTERN.test(name)) return undefined;
  try {
    return (await registry.resolve(name)).operation;
  } catch (thrown) {
    if (thrown instanceof SwitchyardError && thrown.code === "operation_not_found") return undefined;
    throw thrown;
  }
}

function inputOf({ arguments: given }: ToolCall, wrapped: boolean): ParsedJson {
  const names = Object.keys(given);
  if (wrapped && !(names.length === 1 && names[0] === INPUT)) {
    throw new SwitchyardError(
      "input_invalid",
      `Cannot take these arguments: the input goes under "${INPUT}", and nothing beside it; there is ${names.length === 0 ? "nothing" : names.join(", ").slice(0, 200)}`,
    );
  }
  const text = JSON.stringify(wrapped ? given[INPUT] : given);
  return { text, value: parseJsonText(text) };
}

/** Where the agent wrote the input, as it wrote it. */
function underMember(error: ErrorData): ErrorData {
  if (error.code !== "input_invalid" || error.errors === undefined) return error;
  return { ...error, errors: error.errors.map((issue) => ({ ...issue, pointer: `/${INPUT}${issue.pointer}` })) };
}

async function follow(
  id: string,
  { call, outputWrapped }: { call: ToolCall; outputWrapped: boolean | undefined },
  { executions, background, dispatch: ports }: Ports["platform"],
): Promise<CallToolResult> {
  const now = (): number => ports.now();
  const giveUpAt = now() + (call.progress === undefined ? LIMITS.agentWaitMs : LIMITS.waitMaxMs);
  const gone = new Promise<"gone">((resolve) => {
    if (call.signal.aborted) resolve("gone");
    call.signal.addEventListener("abort", () => resolve("gone"), { once: true });
  });
  let [version, afterLog] = [0, 0];
  for (;;) {
    const waitMs = Math.max(0, Math.min(ASK_MS, giveUpAt - now()));
    const watched: Watched | undefined | "gone" = await Promise.race([
      gone,
      executions.watch(id, { version, afterLog, waitMs }),
    ]);
    if (watched === "gone") {
      if (call.abandon) background(executions.cancel(id).catch(() => undefined));
      return toErrorResult(unfinished(id, "running"), id);
    }
    if (watched === undefined) return toErrorResult(lost(id), id);
    const { view, logs } = watched;
    for (const { seq, level, message } of logs) {
      afterLog = Math.max(afterLog, seq);
      await call.log?.({ level, message });
      await call.progress?.(message);
    }
    const final = isFinal(view.status);
    // More lines may be there than one answer takes; an answer without any comes after the last, and at once.
    if (final && logs.length > 0) continue;
    if (final) {
      if (view.status !== "succeeded") return toErrorResult(view.error ?? unfinished(id, view.status), id);
      const output = await executions.output(id);
      return output === undefined
        ? toErrorResult(lost(id), id)
        : toResult(output, { wrapped: outputWrapped, executionId: id });
    }
    if (watched.version > version) {
      version = watched.version;
      await call.progress?.(stateOf(view));
    }
    if (now() >= giveUpAt) return toErrorResult(unfinished(id, view.status), id);
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
