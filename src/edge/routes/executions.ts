/** GET /executions/:id: the record of one execution, for whoever started it and for readers of the registry. */
import { SwitchyardError } from "../../core/errors.ts";
import { shardOfExecutionId } from "../../core/ids.ts";
import { allows } from "../../model/principal.ts";
import type { RouteContext } from "../context.ts";

export async function getExecution(context: RouteContext): Promise<Response> {
  const id = context.req.param("id") ?? "";
  const shard = shardOfExecutionId(id);
  const { platform, identity } = context.var;
  const record = shard === undefined ? undefined : await platform.executions.find(id, shard);
  const mayRead = record?.principal === identity.principal.id || allows(identity.principal, "registry:read");
  if (record === undefined || !mayRead) {
    throw new SwitchyardError(
      "entity_not_found",
      `Cannot show the execution "${id.slice(0, 100)}": there is none of that id, or it is another principal's`,
      {
        hint: "records are written within a second of the answer and kept for 7 days",
      },
    );
  }
  return Response.json(record);
}
