/** POST /ops/:name calls an operation; GET /ops/:name tells its types. `:name` may be `name@revision`. */
import { SwitchyardError } from "../../core/errors.ts";
import { authorize } from "../../dispatch/authorize.ts";
import { dispatch } from "../../dispatch/dispatch.ts";
import { parseNameAtRevision } from "../../model/names.ts";
import { readJson } from "../body.ts";
import type { RouteContext } from "../context.ts";
import { traceOf } from "../traced.ts";
import { toResponse } from "./_answer.ts";
import { asynchronyOf, minRegistryRevisionOf } from "./_asynchrony.ts";

export async function callOperation(context: RouteContext): Promise<Response> {
  const { platform, identity, limits } = context.var;
  const { headers } = context.req.raw;
  const { name, revision } = operationOf(context);
  const wanted = minRegistryRevisionOf(headers);
  const validateOnly = validateOf(context.req.query("validate"));
  const asynchrony = asynchronyOf(context);
  const trace = traceOf(context);
  const input = await readJson(context.req.raw);
  const answer = await dispatch(
    {
      name,
      ...(revision === undefined ? {} : { revision }),
      ...wanted,
      ...asynchrony,
      input,
      principal: identity.principal,
      caller: identity.caller,
      depth: identity.depth,
      ...trace,
      validateOnly,
      limited: (limited) => void limits.push(limited),
    },
    platform.dispatch,
  );
  return toResponse(answer, { asynchrony, traceparent: trace.traceparent, validateOnly });
}

export async function describeOperation(context: RouteContext): Promise<Response> {
  const { name, revision } = operationOf(context);
  const { operation } = await context.var.platform.registry.resolve(name, revision === undefined ? {} : { revision });
  authorize({ ...operation, active: true }, context.var.identity.principal);
  return Response.json({
    name: operation.name,
    revision: operation.revision,
    input_schema: operation.input.schema,
    output_schema: operation.output.schema,
  });
}

function operationOf(context: RouteContext): { name: string; revision: number | undefined } {
  const text = context.req.param("name") ?? "";
  const parsed = parseNameAtRevision(text);
  if (parsed === undefined) {
    throw new SwitchyardError(
      "operation_not_found",
      `Cannot call "${text.slice(0, 200)}": a name is a-z, then a-z 0-9 _ . -, with @revision if it is pinned`,
    );
  }
  return parsed;
}

function validateOf(value: string | undefined): boolean {
  if (value === undefined || value === "only") return value === "only";
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the parameter validate: its only value is "only"; it is "${value.slice(0, 100)}"`,
  );
}
