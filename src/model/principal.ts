/** Whose rights a call has, and what started it. */
import type { RateLimit } from "./rate-limit.ts";
import type { Scope } from "./scope.ts";

/** A token or a trigger, resolved. Everything that a call starts in turn keeps this principal. */
export type Principal = {
  /** The token's id, the middle part of `sy_<id>_<secret>`; or of a trigger `KIND:NAME`. */
  id: string;
  /** The token's or trigger's name, for logs. */
  name: string;
  scopes: readonly Scope[];
  /** Of the token's own requests. Absent: as many as it likes. */
  rateLimit?: RateLimit;
};

/** Whatever can start something. */
export const CALLER_TYPES = ["token", "execution", "webhook", "schedule", "subscription", "agent", "service"] as const;

export type Caller = { type: (typeof CALLER_TYPES)[number]; id: string };

/**
 * Whether the scopes include the one asked for. `admin` includes every other, `registry:write` includes
 * `registry:read`, `ops:invoke` includes `ops:invoke:GROUP`. Nothing but `admin` includes `admin`.
 */
export function allows(principal: Principal, scope: Scope): boolean {
  return principal.scopes.some(
    (held) =>
      held === scope ||
      held === "admin" ||
      (held === "registry:write" && scope === "registry:read") ||
      (held === "ops:invoke" && scope.startsWith("ops:invoke:")),
  );
}

/** Whether an execution is the principal's to cancel or to replay: its own, or any for who may write the registry. */
export function mayControl(principal: Principal, execution: { principal: string }): boolean {
  return execution.principal === principal.id || allows(principal, "registry:write");
}
