/** Where runners connect, and which are connected. */
import { SwitchyardError } from "../../core/errors.ts";
import { NAME_PATTERN } from "../../model/names.ts";
import type { RouteContext } from "../context.ts";
import { matching } from "../parameters.ts";

export async function connectRunner(context: RouteContext): Promise<Response> {
  const name = await environmentOf(context);
  if (context.req.header("upgrade")?.toLowerCase() !== "websocket") {
    const answer = `Cannot connect a runner to "${name}": the request must ask for a WebSocket (Upgrade: websocket); it does not`;
    return Response.json(
      { type: "about:blank", title: "A WebSocket is needed", status: 426, detail: answer, hint: "opctl runner start" },
      { status: 426, headers: { upgrade: "websocket", "content-type": "application/problem+json" } },
    );
  }
  return runnersOf(context).connect(name, context.req.raw);
}

export async function listRunners(context: RouteContext): Promise<Response> {
  const { runners, queued } = await runnersOf(context)
    .pool(await environmentOf(context))
    .status();
  return context.json({ runners, queued });
}

function runnersOf(context: RouteContext) {
  const { runners } = context.var.platform;
  if (runners !== undefined) return runners;
  throw new SwitchyardError(
    "setting_unsupported",
    "Cannot connect runners: this installation must have pools; it has none",
  );
}

async function environmentOf(context: RouteContext): Promise<string> {
  const rule = { pattern: NAME_PATTERN, rule: "be an environment's name" };
  const name = matching(context.req.param("environment") ?? "", "environment", rule);
  const row = await context.var.platform.registry.environment(name);
  if (row === undefined) {
    throw new SwitchyardError("entity_not_found", `Cannot find the environment "${name}": there is none of that name`, {
      hint: `opctl create environment - <<< '{"name":"${name}","adapter":"runner"}'`,
    });
  }
  if (row.adapter !== "runner") {
    throw new SwitchyardError(
      "bad_request",
      `Cannot use "${name}" for runners: its adapter must be runner; it is ${row.adapter}`,
      { hint: "opctl create environment -s name=rack-1 -s adapter=runner" },
    );
  }
  if (!row.active) {
    throw new SwitchyardError(
      "environment_unavailable",
      `Cannot use "${name}" for runners: it must be active; it is not`,
      {
        hint: `opctl edit environment ${name} -s active=true`,
      },
    );
  }
  return name;
}
