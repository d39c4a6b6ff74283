/** Bearer → identity. Two kinds of bearer exist: tokens of the registry, and capabilities of running handlers. */
import { SwitchyardError } from "../core/errors.ts";
import { shardOfExecutionId } from "../core/ids.ts";
import { isCapability } from "../dispatch/capability.ts";
import type { Identity, Platform } from "./context.ts";

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]{1,4096}=*)$/i;

/** Throws unauthenticated. */
export function bearerOf(headers: Headers): string {
  const header = headers.get("authorization");
  const bearer = header === null ? undefined : BEARER.exec(header)?.[1];
  if (bearer === undefined) {
    throw new SwitchyardError(
      "unauthenticated",
      `Cannot accept the request: it needs an authorization header "Bearer <token>"; it ${header === null ? "has none" : "has another form"}`,
      { hint: "opctl token show" },
    );
  }
  return bearer;
}

/** Throws unauthenticated, token_unknown, token_expired or token_revoked. */
export async function authenticate(headers: Headers, platform: Platform): Promise<Identity> {
  const bearer = bearerOf(headers);
  if (isCapability(bearer)) {
    const { principalId, depth } = await platform.capabilities.verify(bearer);
    const execution = headers.get("caller-execution") ?? "";
    const id = shardOfExecutionId(execution) === undefined ? "unknown" : execution;
    return { principal: await platform.registry.principalById(principalId), caller: { type: "execution", id }, depth };
  }
  const principal = await platform.registry.authenticate(bearer);
  return { principal, caller: { type: "token", id: principal.id }, depth: 0 };
}
