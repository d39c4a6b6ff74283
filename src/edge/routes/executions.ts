/** Reading executions: the list, one record, its input, output and log. Nothing here changes anything. */
import { SwitchyardError, type ErrorData } from "../../core/errors.ts";
import { shardOfExecutionId } from "../../core/ids.ts";
import { EXECUTION_STATUSES, isFinal } from "../../model/execution-states.ts";
import type { ExecutionQuery, ExecutionView } from "../../model/execution.ts";
import { CALLER_TYPES } from "../../model/principal.ts";
import type { RouteContext } from "../context.ts";
import { integerOf, oneOf, operationNameOf, queryOf, timeOf } from "../parameters.ts";
import { parsePrefer, preferenceApplied } from "../prefer.ts";
import { problem } from "../problem.ts";
import { readable, unknownExecution } from "./_access.ts";

const NO_STORE = { "cache-control": "no-store" };
const PAGE = { usual: 100, max: 1_000 };

export async function listExecutions(context: RouteContext): Promise<Response> {
  const query = queryOf(context, [
    "operation",
    "status",
    "trigger",
    "parent",
    "since",
    "until",
    "limit",
    "cursor",
  ] as const);
  const { operation, status, trigger, parent, since, until, cursor } = query;
  const wanted: ExecutionQuery = {
    ...(operation === undefined ? {} : { operation: operationNameOf(operation, "operation") }),
    ...(status === undefined ? {} : { status: oneOf(status, "status", EXECUTION_STATUSES) }),
    ...(trigger === undefined ? {} : { trigger: oneOf(trigger, "trigger", CALLER_TYPES) }),
    ...(parent === undefined ? {} : { parent: executionIdOf(parent, "parent") }),
    ...(since === undefined ? {} : { since: timeOf(since, "since") }),
    ...(until === undefined ? {} : { until: timeOf(until, "until") }),
    ...(cursor === undefined ? {} : { cursor }),
    limit: limitOf(query.limit),
  };
  return Response.json(await context.var.platform.executions.list(wanted), { headers: NO_STORE });
}

export async function getExecution(context: RouteContext): Promise<Response> {
  return Response.json(await readable(context), { headers: NO_STORE });
}

export async function getInput(context: RouteContext): Promise<Response> {
  const { id, mode } = await readable(context);
  const input = await context.var.platform.executions.input(id);
  if (input === undefined) throw notKept("input", id, mode);
  return jsonText(input, id);
}

/** The bare output, or the problem that it ended with. `Prefer: wait=N` waits for the end first. */
export async function getOutput(context: RouteContext): Promise<Response> {
  const { executions } = context.var.platform;
  let view = await readable(context);
  const { waitMs } = parsePrefer(context.req.header("prefer") ?? null);
  if (waitMs !== undefined && !isFinal(view.status)) {
    const waited = await executions.wait(view.id, waitMs);
    if (waited === undefined) throw unknownExecution(view.id);
    view = waited;
  }
  const headers = { ...NO_STORE, "execution-id": view.id, ...preferenceApplied({ respondAsync: false, waitMs }) };
  if (!isFinal(view.status)) {
    return problem(
      {
        code: "execution_unfinished",
        detail: `Cannot show the output of "${view.id}": it must have ended; it is ${view.status}`,
        hint: `GET /executions/${view.id}/events`,
      },
      headers,
    );
  }
  if (view.status !== "succeeded") return problem(errorOf(view), headers);
  const output = await executions.output(view.id);
  if (output === undefined) throw notKept("output", view.id, view.mode);
  return jsonText(output, view.id, headers);
}

export async function getLogs(context: RouteContext): Promise<Response> {
  const query = queryOf(context, ["after", "cursor", "limit"] as const);
  const { after = query.cursor } = query;
  if (query.after !== undefined && query.cursor !== undefined) {
    throw new SwitchyardError(
      "bad_request",
      "Cannot read the parameters after and cursor: both say where to go on, so only one can be given",
    );
  }
  const limit = limitOf(query.limit);
  const from =
    after === undefined
      ? 0
      : integerOf(after, query.after === undefined ? "cursor" : "after", { min: 0, max: Number.MAX_SAFE_INTEGER });
  const { id } = await readable(context);
  const lines = await context.var.platform.executions.logs(id, { after: from, limit: limit + 1 });
  if (lines === undefined) throw unknownExecution(id);
  const items = lines.slice(0, limit);
  const last = items.at(-1);
  const next_cursor = lines.length > limit && last !== undefined ? String(last.seq) : null;
  return Response.json({ items, next_cursor }, { headers: NO_STORE });
}

export function limitOf(text: string | undefined): number {
  return text === undefined ? PAGE.usual : integerOf(text, "limit", { min: 1, max: PAGE.max });
}

export function executionIdOf(text: string, parameter: string): string {
  if (shardOfExecutionId(text) !== undefined) return text;
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the parameter ${parameter}: it must be an execution's id; it is ${JSON.stringify(text.slice(0, 100))}`,
  );
}

/** What it ended with. Each end but success has an error of its own in the record. */
function errorOf({ id, error, status }: ExecutionView): ErrorData {
  return error ?? { code: "internal", detail: `Cannot say why "${id}" is ${status}: its record must; it has no error` };
}

function jsonText(text: string, id: string, headers: Record<string, string> = NO_STORE): Response {
  return new Response(text, { headers: { ...headers, "content-type": "application/json", "execution-id": id } });
}

function notKept(what: "input" | "output", id: string, mode: "sync" | "async"): SwitchyardError {
  return new SwitchyardError(
    "entity_not_found",
    `Cannot show the ${what} of "${id}": it must be kept; ${mode === "sync" ? "that of a synchronous call is not" : "it is not"}`,
  );
}
