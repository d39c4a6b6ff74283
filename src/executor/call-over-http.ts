/** `ctx.call` from an executor process: an ordinary request to the edge, with the invocation's capability as bearer. */
import { isErrorCode, type ErrorData } from "../core/errors.ts";
import type { InvocationMeta } from "../model/invocation.ts";
import type { CallAnswer, CallOperation } from "./platform-calls.ts";

export function callOverHttp(edge: Fetcher): CallOperation {
  return async (name: string, input: string, meta: InvocationMeta): Promise<CallAnswer> => {
    const response = await edge.fetch(`http://edge/ops/${encodeURIComponent(name)}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${meta.capability}`,
        traceparent: meta.traceparent,
        "caller-execution": meta.execution_id,
      },
      body: input,
    });
    const text = await response.text();
    return response.ok ? { ok: true, output: text } : { ok: false, error: errorOf(text, name, response.status) };
  };
}

function errorOf(text: string, name: string, status: number): ErrorData {
  try {
    const problem = JSON.parse(text) as Partial<ErrorData> | null;
    if (isErrorCode(problem?.code)) {
      return {
        code: problem.code,
        detail: String(problem.detail),
        ...(problem.hint === undefined ? {} : { hint: problem.hint }),
        ...(problem.errors === undefined ? {} : { errors: problem.errors }),
      };
    }
  } catch {
    // Not a problem answer: said below.
  }
  return {
    code: "internal",
    detail: `Cannot call "${name}": the platform must answer with a problem; it is status ${status}`,
  };
}
