/**
 * Who may have a subscription deliver what they like: who could do with their own rights all that it does. A URL is sent to
 * with its secrets, an operation is started with its scopes.
 */
import type { Principal } from "../../model/principal.ts";
import type { Subscription } from "../../model/triggers.ts";
import { assertWithinRights } from "../../model/within-rights.ts";

/** Throws forbidden. */
export function assertMayDeliver(
  principal: Principal,
  { name, operation, scopes, secrets }: Subscription,
  what: string,
): void {
  const borrowed = { name, secrets, scopes: operation === null ? [] : scopes };
  assertWithinRights(principal, borrowed, { kind: "subscription", what: `${what} the` });
}
