/**
 * Whoever starts a trigger by hand borrows what it has: the scopes of what it starts, the secrets that it signs with. So they
 * must have these themselves.
 */
import { SwitchyardError } from "../core/errors.ts";
import { allows, type Principal } from "./principal.ts";
import type { Scope } from "./scope.ts";
import type { TriggerKind } from "./triggers.ts";

export type Borrowed = { name: string; scopes: readonly Scope[]; secrets: readonly string[] };

/** `what`: such as "test the". Throws forbidden. */
export function assertWithinRights(
  principal: Principal,
  { name, scopes, secrets }: Borrowed,
  { kind, what }: { kind: TriggerKind; what: string },
): void {
  const beyond = scopes.filter((scope) => !allows(principal, scope));
  if (beyond.length > 0) {
    throw new SwitchyardError(
      "forbidden",
      `Cannot ${what} ${kind} "${name}": the token must have the scopes that the ${kind} gives; it has ${principal.scopes.join(", ")}, and ${beyond.join(", ")} ${beyond.length === 1 ? "is" : "are"} not among them`,
    );
  }
  if (secrets.length > 0 && !allows(principal, "secrets:use")) {
    throw new SwitchyardError(
      "forbidden",
      `Cannot ${what} ${kind} "${name}": what is sent is signed with its secret, which needs the scope secrets:use; the token has ${principal.scopes.join(", ")}`,
    );
  }
}
