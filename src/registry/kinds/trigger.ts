/**
 * What webhooks, schedules, subscriptions, agents and services have in common: their rights are never more than those of whoever
 * writes the row, at every write; what they start must be there and open to them.
 */
import { SwitchyardError } from "../../core/errors.ts";
import type { Operation } from "../../model/entities.ts";
import { allows, type Principal } from "../../model/principal.ts";
import type { Scope } from "../../model/scope.ts";
import { triggerPrincipalId, type TriggerKind } from "../../model/triggers.ts";
import type { Row, Use } from "../draft.ts";
import { checkCompiles } from "./compiles.ts";
import { named, refuse, type WriteContext } from "./rules.ts";

type Named = { name: string; scopes: readonly Scope[] };

/** Throws forbidden. */
export function checkScopes(kind: TriggerKind, { name, scopes }: Named, { principal }: WriteContext): void {
  const beyond = scopes.filter((scope) => !allows(principal, scope));
  if (beyond.length === 0) return;
  throw new SwitchyardError(
    "forbidden",
    `Cannot write the ${kind} "${name}": its scopes must be within those of the token that writes it, ${principal.scopes.join(", ")}; ${beyond.join(", ")} ${beyond.length === 1 ? "is" : "are"} not`,
    {
      hint: `set scopes to what it needs, such as ["${principal.scopes.find((held) => held.startsWith("ops:")) ?? "ops:invoke:GROUP"}"]`,
    },
  );
}

/** The operation that it starts: registered, and within its scopes. */
export async function startedOperation(
  kind: TriggerKind,
  manifest: Named & { operation: string },
  { draft }: WriteContext,
): Promise<{ row: Row; manifest: Operation; use: Use }> {
  const row = await named(draft, "operation", manifest.operation, "/operation");
  const operation = row.manifest as Operation;
  checkInvokes(kind, manifest, { row });
  return { row, manifest: operation, use: { kind: "operation", name: operation.name, written: true } };
}

/** Throws definition_invalid unless the operation is within its scopes. `pointer`: where that is said. */
export function checkInvokes(
  kind: TriggerKind,
  { name, scopes }: Named,
  { row, pointer = "/scopes" }: { row: Row; pointer?: string },
): void {
  const { group } = row.manifest as Operation;
  const own: Principal = { id: triggerPrincipalId(kind, name), name, scopes };
  if (allows(own, `ops:invoke:${group}`)) return;
  throw refuse(
    "definition_invalid",
    pointer,
    `Cannot let the ${kind} "${name}" start "${row.name}": its scopes must include ops:invoke or ops:invoke:${group}; they are ${scopes.join(", ")}`,
  );
}

/** An expression that cannot be compiled would fail for every event. Throws expression_invalid at the field. */
export async function checkExpression<Field extends string>(
  kind: TriggerKind,
  manifest: { name: string } & { [F in Field]: string | null },
  field: Field,
): Promise<void> {
  const source = manifest[field];
  if (source !== null) await checkCompiles(`the ${kind} "${manifest.name}"`, { source, pointer: `/${field}` });
}
