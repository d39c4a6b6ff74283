/** Module code by hash: PUT /modules/:sha256 stores it, GET answers it. Immutable, so it may be cached for ever. */
import { SwitchyardError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { readBytes } from "../body.ts";
import type { RouteContext } from "../context.ts";

export async function putModuleCode(context: RouteContext): Promise<Response> {
  const sha256 = hashOf(context);
  await context.var.platform.registry.putModuleCode(sha256, await readBytes(context.req.raw, LIMITS.moduleBytes));
  return Response.json({ sha256 }, { status: 201 });
}

export async function getModuleCode(context: RouteContext): Promise<Response> {
  const sha256 = hashOf(context);
  const code = await context.var.platform.registry.moduleCode(sha256);
  if (code === undefined) {
    throw new SwitchyardError("entity_not_found", `Cannot show the code ${sha256}: it must be stored; it is not`);
  }
  return new Response(code, {
    headers: {
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "private, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
      etag: `"${sha256}"`,
    },
  });
}

function hashOf(context: RouteContext): string {
  const text = context.req.param("sha256") ?? "";
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new SwitchyardError(
    "bad_request",
    `Cannot address a module by "${text.slice(0, 100)}": it must be a SHA-256 in lower-case hex`,
  );
}
