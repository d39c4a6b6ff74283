/** Scopes: what a token, or a trigger, may do. */
import * as v from "valibot";

/** `ops:invoke`, `ops:invoke:GROUP`, `registry:read`, `registry:write`, `secrets:use`, `runner:ENVIRONMENT`, `admin`. */
export type Scope =
  | "ops:invoke"
  | `ops:invoke:${string}`
  | `runner:${string}`
  | "registry:read"
  | "registry:write"
  | "secrets:use"
  | "admin";

export const ScopeSchema = v.pipe(
  v.string(),
  v.regex(
    /^(?:ops:invoke(?::[a-z][a-z0-9_.-]{0,127})?|runner:[a-z][a-z0-9_.-]{0,127}|registry:read|registry:write|secrets:use|admin)$/,
    "must be ops:invoke, ops:invoke:GROUP, runner:ENVIRONMENT, registry:read, registry:write, secrets:use or admin",
  ),
) as unknown as v.GenericSchema<string, Scope>;
