/** What agents are at and what is wanted of them: the built-in functions behind routes of their own, and their events. */
import { SwitchyardError } from "../../core/errors.ts";
import type { RouteContext } from "../context.ts";
import { readJson } from "../body.ts";
import { follow } from "../follow.ts";

const NO_STORE = { "cache-control": "no-store" };

export function agentStatus(context: RouteContext): Promise<Response> {
  return answer(context, "agent_status", { name: nameOf(context) });
}

export async function planAgent(context: RouteContext): Promise<Response> {
  return answer(context, "plan_agent", await bodyOf(context));
}

export async function seekAgent(context: RouteContext): Promise<Response> {
  return answer(context, "seek_agent", await bodyOf(context), 202);
}

export async function stopAgent(context: RouteContext): Promise<Response> {
  return answer(context, "stop_agent", await bodyOf(context));
}

export async function senseAgent(context: RouteContext): Promise<Response> {
  return answer(context, "sense_agent", await bodyOf(context));
}

export function agentEvents(context: RouteContext): Promise<Response> {
  const { identity, platform } = context.var;
  const name = nameOf(context);
  return follow(context, {
    check: () => platform.runBuiltin("agent_status", { name }, identity.principal),
    watch: (options) => platform.agents.watch(name, options),
  });
}

async function answer(context: RouteContext, name: string, input: unknown, status = 200): Promise<Response> {
  const { identity, platform } = context.var;
  const { output } = await platform.runBuiltin(name, input, identity.principal);
  return Response.json(output, { status, headers: NO_STORE });
}

function nameOf(context: RouteContext): string {
  return context.req.param("name") ?? "";
}

/** The name stands in the path and nowhere else. */
async function bodyOf(context: RouteContext): Promise<unknown> {
  const { value } = await readJson(context.req.raw);
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !("name" in value)) {
    return { ...value, name: nameOf(context) };
  }
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the body: it must be a JSON object without "name", which stands in the path; it is not`,
  );
}
