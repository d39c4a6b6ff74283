/**
 * What webhooks, schedules and subscriptions have in common: their rights are never more than those of whoever writes the
 * row, at every write; what they start must be there and open to them; a secret is used only by who may use secrets.
 */
import { SwitchyardError, toSwitchyardError } from "../../core/errors.ts";
import type { Operation } from "../../model/entities.ts";
import { allows, type Principal } from "../../model/principal.ts";
import type { Scope } from "../../model/scope.ts";
import { triggerPrincipalId, type TriggerKind } from "../../model/triggers.ts";
import type { Row, Use } from "../draft.ts";
import { compileExpression } from "../../expressions/index.ts";
import { named, openTo, refuse, type WriteContext } from "./rules.ts";

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
  const { name, scopes } = manifest;
  const row = await named(draft, "operation", manifest.operation, "/operation");
  const operation = row.manifest as Operation;
  const own: Principal = { id: triggerPrincipalId(kind, name), name, scopes };
  if (!allows(own, `ops:invoke:${operation.group}`)) {
    throw refuse(
      "definition_invalid",
      "/scopes",
      `Cannot let the ${kind} "${name}" start "${operation.name}": its scopes must include ops:invoke or ops:invoke:${operation.group}; they are ${scopes.join(", ")}`,
    );
  }
  return { row, manifest: operation, use: { kind: "operation", name: operation.name, written: true } };
}

/** `group`: the secrets' groups must include it; undefined where no operation gives one. */
export async function useSecrets(
  kind: TriggerKind,
  { name, secrets, group }: { name: string; secrets: readonly string[]; group: string | undefined },
  { draft, principal }: WriteContext,
): Promise<Use[]> {
  if (secrets.length > 0 && !allows(principal, "secrets:use")) {
    throw new SwitchyardError(
      "forbidden",
      `Cannot write the ${kind} "${name}": one with secrets needs the scope secrets:use; the token has ${principal.scopes.join(", ")}`,
    );
  }
  const unique = [...new Set(secrets)];
  for (const secret of unique) {
    const pointer = `/secrets/${secrets.indexOf(secret)}`;
    const { groups } = (await named(draft, "secret", secret, pointer)).manifest as { groups: string[] };
    if (group === undefined || groups.includes(group)) continue;
    throw refuse(
      "definition_invalid",
      pointer,
      `Cannot use the secret "${secret}" in the ${kind} "${name}": the secret's groups must include "${group}", that of its operation; they are ${groups.join(", ") || "none"}`,
      openTo(group, secret, groups),
    );
  }
  return unique.map((secret) => ({ kind: "secret", name: secret, written: true }));
}

/** An expression that cannot be compiled would fail for every event. Throws expression_invalid at the field. */
export async function checkExpression<Field extends string>(
  kind: TriggerKind,
  manifest: { name: string } & { [F in Field]: string | null },
  field: Field,
): Promise<void> {
  const source = manifest[field];
  if (source === null) return;
  try {
    await compileExpression(source);
  } catch (thrown) {
    const { code, message } = toSwitchyardError(thrown);
    throw refuse(code, `/${field}`, `Cannot store the ${kind} "${manifest.name}": ${message}`);
  }
}
