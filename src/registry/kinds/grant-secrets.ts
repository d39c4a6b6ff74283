/** Code that may read a secret may also give it away, so a row that points at one is using it: by who may, for whom it is. */
import { SwitchyardError } from "../../core/errors.ts";
import { allows } from "../../model/principal.ts";
import type { Use } from "../draft.ts";
import { named, openTo, refuse, type WriteContext } from "./rules.ts";

type Granted = {
  /** `the operation "pay"` */
  what: string;
  /** The secrets' groups must include it; undefined where there is none to ask. */
  group: string | undefined;
  secrets: readonly { name: string; pointer: string }[];
};

/** Of a row that has them in a list. */
export function listedSecrets(secrets: readonly string[]): Granted["secrets"] {
  return secrets.map((name, place) => ({ name, pointer: `/secrets/${place}` }));
}

/** What it uses with them. Throws forbidden or definition_invalid. */
export async function grantSecrets(
  { what, group, secrets }: Granted,
  { draft, principal }: Pick<WriteContext, "draft" | "principal">,
): Promise<Use[]> {
  if (secrets.length > 0 && !allows(principal, "secrets:use")) {
    throw new SwitchyardError(
      "forbidden",
      `Cannot write ${what}: one with secrets needs the scope secrets:use; the token has ${principal.scopes.join(", ")}`,
    );
  }
  const uses = new Map<string, Use>();
  for (const { name, pointer } of secrets) {
    if (uses.has(name)) continue;
    const { groups } = (await named(draft, "secret", name, pointer)).manifest as { groups: string[] };
    if (group !== undefined && !groups.includes(group)) {
      throw refuse(
        "definition_invalid",
        pointer,
        `Cannot use the secret "${name}" in ${what}: the secret's groups must include "${group}"; they are ${groups.join(", ") || "none"}`,
        openTo(group, name, groups),
      );
    }
    uses.set(name, { kind: "secret", name, written: true });
  }
  return [...uses.values()];
}
