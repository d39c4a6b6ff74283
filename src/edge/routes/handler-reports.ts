/**
 * What a running handler sends about its own execution: artifacts and log lines. The route table lets in nobody but
 * handlers; here the execution must be the one that the handler says it runs in, and its principal's.
 */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import { shardOfExecutionId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import { isFinal } from "../../model/execution-states.ts";
import type { ExecutionView } from "../../model/execution.ts";
import { parseNameAtRevision } from "../../model/names.ts";
import { readJson } from "../body.ts";
import type { RouteContext } from "../context.ts";
import { matching, queryOf } from "../parameters.ts";
import { idOf, unknownExecution } from "./_access.ts";

const ARTIFACT_NAME = {
  pattern: /^[^\p{Cc}\p{Cs}]{1,255}$/u,
  rule: "be 1 to 255 characters without control characters",
};
const MEDIA_TYPE = {
  pattern: /^(?=.{3,255}$)[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:; ?[\w!#$&^.+-]+=(?:[\w!#$&^.+-]+|"[^"\\\p{Cc}\p{Cs}]*"))*$/u,
  rule: "be a media type like text/csv",
};

export async function putArtifact(context: RouteContext): Promise<Response> {
  const query = queryOf(context, ["name", "content_type"] as const);
  const name = matching(query.name ?? "artifact", "name", ARTIFACT_NAME);
  const contentType = matching(query.content_type ?? "application/octet-stream", "content_type", MEDIA_TYPE);
  refuseTooLarge(context.req.header("content-length"));
  const id = idOf(context);
  // A synchronous call has no record before its end; whether the id stands for one is then the store's question.
  const known = await ownExecution(context);
  const operation = known?.operation ?? parseNameAtRevision(context.req.header("caller-operation") ?? "")?.name;
  const body = context.req.raw.body ?? new Blob([]).stream();
  const content = { name, contentType, body, ...(operation === undefined ? {} : { operation }) };
  const stored = await context.var.platform.artifacts.put(id, content);
  return Response.json(
    { artifact_id: stored.id, sha256: stored.sha256, size_bytes: stored.size_bytes },
    { status: 201, headers: { location: `/artifacts/${stored.id}` } },
  );
}

/** What the isolate cuts lines to, with room for what it says about the rest. */
const LineSchema = v.strictObject({
  level: v.picklist(["debug", "info", "warn", "error"]),
  message: v.pipe(v.string(), v.maxLength(LIMITS.logLineChars + 100)),
  at_ms: v.pipe(v.number(), v.minValue(0), v.maxValue(8_640_000_000_000_000)),
});
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const ReportSchema = v.strictObject({
  attempt: v.pipe(count, v.minValue(1)),
  first: count,
  lines: v.pipe(v.array(LineSchema), v.minLength(1), v.maxLength(LIMITS.logLines + 1)),
});

export async function appendLogs(context: RouteContext): Promise<Response> {
  const { value } = await readJson(context.req.raw);
  const report = v.safeParse(ReportSchema, value, { abortEarly: true });
  if (!report.success) {
    const [issue] = report.issues;
    throw new SwitchyardError(
      "bad_request",
      `Cannot read the log lines: the body must be {"attempt", "first", "lines": [{"level", "message", "at_ms"}]}; it is not at "${v.getDotPath(issue) ?? ""}": ${issue.message}`,
    );
  }
  const view = await ownExecution(context);
  if (view === undefined) throw unknownExecution(idOf(context));
  await context.var.platform.executions.appendLogs(view.id, report.output);
  return new Response(null, { status: 204 });
}

/** undefined: no record is there yet. Throws forbidden, entity_not_found, execution_final. */
async function ownExecution(context: RouteContext): Promise<ExecutionView | undefined> {
  const { identity, platform } = context.var;
  const id = idOf(context);
  if (identity.caller.id !== id || shardOfExecutionId(id) === undefined) {
    throw new SwitchyardError(
      "forbidden",
      `Cannot add to the execution "${id.slice(0, 100)}": a handler may only to its own; the header caller-execution says ${identity.caller.id}`,
    );
  }
  const view = await platform.executions.find(id);
  if (view === undefined) return undefined;
  if (view.principal !== identity.principal.id) throw unknownExecution(id);
  if (!isFinal(view.status)) return view;
  throw new SwitchyardError(
    "execution_final",
    `Cannot add to the execution "${id}": it must be running; it is ${view.status}`,
  );
}

function refuseTooLarge(contentLength: string | undefined): void {
  if (contentLength === undefined || Number(contentLength) <= LIMITS.artifactBytes) return;
  throw new SwitchyardError(
    "payload_too_large",
    `Cannot store the artifact: at most ${LIMITS.artifactBytes} bytes are taken; it has ${contentLength}`,
  );
}
