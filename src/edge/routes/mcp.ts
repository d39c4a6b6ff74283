/**
 * /mcp: agents see operations as tools (src/edge/mcp). That part is loaded by the first who asks for it: the SDK is a
 * quarter of the worker, and no other call should pay for its start.
 */
import type { Platform, RouteContext } from "../context.ts";
import type { Mcp } from "../mcp/http.ts";
import { traceOf } from "../traced.ts";

const mcps = new WeakMap<Platform, Mcp>();

export async function mcp(context: RouteContext): Promise<Response> {
  const { platform, identity, limits } = context.var;
  let answer = mcps.get(platform);
  if (answer === undefined) {
    const { createMcp } = await import("../mcp/http.ts");
    answer = mcps.get(platform) ?? createMcp(platform);
    mcps.set(platform, answer);
  }
  return answer(context.req.raw, { identity, limits, trace: traceOf(context) });
}
