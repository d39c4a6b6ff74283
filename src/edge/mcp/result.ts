/** What a call came to, as the result of a tool. Pure. */
import type { CallToolResult } from "@modelcontextprotocol/server";
import { ERRORS, type ErrorData } from "../../core/errors.ts";
import { META, OUTPUT } from "./tool.ts";

/** `output` is JSON text. A text is shown as it is, anything else as JSON. */
export function toResult(
  output: string,
  { wrapped, executionId }: { wrapped: boolean | undefined; executionId: string },
): CallToolResult {
  const value: unknown = JSON.parse(output);
  const isPlain = typeof value === "object" && value !== null && !Array.isArray(value);
  return {
    content: [{ type: "text", text: typeof value === "string" ? value : output }],
    structuredContent: (wrapped ?? !isPlain) ? { [OUTPUT]: value } : value,
    _meta: executionMeta(executionId),
  };
}

/**
 * An error is a result too: the model reads it and may mend its call. Its data goes beside the result, because clients
 * hold whatever stands as `structuredContent` against the tool's output type, errors too.
 */
export function toErrorResult(error: ErrorData, executionId: string | undefined): CallToolResult {
  const { code, detail, hint, errors = [] } = error;
  const { title } = ERRORS[code];
  const lines = [
    `${title} (${code})`,
    detail,
    ...errors.map(({ pointer, detail: rule }) => `${pointer === "" ? "/" : pointer}: ${rule}`),
    ...(hint === undefined ? [] : [hint]),
    ...(executionId === undefined ? [] : [`Execution: ${executionId}`]),
  ];
  return {
    isError: true,
    content: [{ type: "text", text: lines.join("\n") }],
    _meta: { ...executionMeta(executionId), [`${META}/error`]: { ...error, title } },
  };
}

function executionMeta(executionId: string | undefined): Record<string, unknown> {
  return executionId === undefined ? {} : { [`${META}/execution_id`]: executionId };
}
