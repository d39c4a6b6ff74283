/** One call of a tool: through dispatch like any other, and along with its execution where it is asynchronous. */
import type { CallToolResult } from "@modelcontextprotocol/server";
import { SwitchyardError, toErrorData, toSwitchyardError, type ErrorData } from "../../core/errors.ts";
import { parseJsonText, type ParsedJson } from "../../core/json.ts";
import type { TraceContext } from "../../core/trace.ts";
import { dispatch } from "../../dispatch/dispatch.ts";
import { NAME_PATTERN } from "../../model/names.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import type { Identity, Platform } from "../context.ts";
import { follow, type Following } from "./follow.ts";
import { toErrorResult, toResult } from "./result.ts";
import { INPUT, shapeOf } from "./tool.ts";
import { isSeen, type View } from "./view.ts";

export type ToolCall = Omit<Following, "again"> & {
  name: string;
  arguments: Record<string, unknown>;
  trace: TraceContext;
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
        ...call.trace,
      },
      platform.dispatch,
    );
    const { outcome } = answer;
    executionId = answer.executionId ?? "";
    if (outcome === undefined) {
      const forget = call.onKept(executionId);
      const following = { ...call, again: false, wrapped: outputWrapped };
      return await follow(executionId, following, platform).finally(forget);
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
