/** What schedules do: the built-in functions behind routes of their own. */
import type { RouteContext } from "../context.ts";
import { queryOf } from "../parameters.ts";
import { accepted } from "./_accepted.ts";
import { limitOf } from "./executions.ts";

const NO_STORE = { "cache-control": "no-store" };

export async function listSchedules(context: RouteContext): Promise<Response> {
  return Response.json(await run(context, "list_schedule_status", pageOf(context)), { headers: NO_STORE });
}

export async function getSchedule(context: RouteContext): Promise<Response> {
  return Response.json(await run(context, "get_schedule_status", nameOf(context)), { headers: NO_STORE });
}

export async function listFirings(context: RouteContext): Promise<Response> {
  const input = { ...nameOf(context), ...pageOf(context) };
  return Response.json(await run(context, "list_schedule_firing", input), { headers: NO_STORE });
}

export async function triggerSchedule(context: RouteContext): Promise<Response> {
  const output = await run(context, "trigger_schedule", nameOf(context));
  return accepted((output as { execution_id: string }).execution_id);
}

function nameOf(context: RouteContext): { name: string } {
  return { name: context.req.param("name") ?? "" };
}

function pageOf(context: RouteContext): { limit: number; cursor?: string } {
  const { limit, cursor } = queryOf(context, ["limit", "cursor"] as const);
  return { limit: limitOf(limit), ...(cursor === undefined ? {} : { cursor }) };
}

async function run(context: RouteContext, name: string, input: unknown): Promise<unknown> {
  const { identity, platform } = context.var;
  return (await platform.runBuiltin(name, input, identity.principal)).output;
}
