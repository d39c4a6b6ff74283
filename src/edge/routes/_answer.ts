/** What dispatch answers, as the response of POST /ops/:name. */
import type { Answer } from "../../dispatch/dispatch.ts";
import { preferenceApplied } from "../prefer.ts";
import { problem } from "../problem.ts";
import { accepted } from "./_accepted.ts";
import type { Asynchrony } from "./_asynchrony.ts";

type Asked = { asynchrony: Asynchrony; traceparent: string; validateOnly: boolean };

export function toResponse(answer: Answer, { asynchrony, traceparent, validateOnly }: Asked): Response {
  const headers = headersOf(answer, traceparent);
  const { async = false, waitMs } = asynchrony;
  // Waiting is a matter of asynchronous calls: any other is answered at its end whatever it preferred.
  if (!validateOnly && (async || answer.operation.isAsync)) {
    Object.assign(headers, preferenceApplied({ respondAsync: async, waitMs }));
  }
  const { outcome, executionId = "" } = answer;
  if (outcome === undefined) return accepted(executionId, headers);
  if (!outcome.ok) return problem(outcome.error, headers);
  if (validateOnly) return Response.json({ valid: true }, { headers });
  headers["content-type"] = "application/json";
  return new Response(outcome.output, { headers });
}

export function headersOf(answer: Answer, traceparent: string): Record<string, string> {
  const { resolve, run, total } = answer.timings;
  return {
    ...(answer.executionId === undefined ? {} : { "execution-id": answer.executionId }),
    ...(answer.kept?.repeated === true ? { "idempotent-replayed": "true" } : {}),
    "operation-revision": String(answer.operation.revision),
    "server-timing": `resolve;dur=${resolve}, run;dur=${run}, total;dur=${total}`,
    traceparent,
    ...(answer.stale ? { "registry-stale": "true" } : {}),
  };
}
