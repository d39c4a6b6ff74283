/** Modules: a name for some stored code, and what each of its exports says about its types. */
import { eq } from "drizzle-orm";
import { SwitchyardError } from "../../core/errors.ts";
import type { CodeType, Type } from "../../model/entities.ts";
import type { Draft } from "../draft.ts";
import { moduleCode } from "../schema.ts";
import { refuse, type KindRules } from "./rules.ts";
import { originOf, sameDefinition, settleType } from "./type-row.ts";
import { close } from "../close.ts";

const RESERVED_MODULE = "builtin";

export const moduleRules: KindRules<"module"> = {
  async settle(manifest, { draft }) {
    if (manifest.name === RESERVED_MODULE) {
      throw refuse(
        "definition_invalid",
        "/name",
        `Cannot store the module "${manifest.name}": the name is reserved for the platform's own functions`,
      );
    }
    const [code] = await draft.database
      .select({ size: moduleCode.size_bytes })
      .from(moduleCode)
      .where(eq(moduleCode.sha256, manifest.sha256));
    if (code === undefined) {
      throw refuse(
        "module_not_found",
        "/sha256",
        `Cannot store the module "${manifest.name}": its code must be stored first; there is none under ${manifest.sha256}`,
        `PUT /modules/${manifest.sha256} with the code`,
      );
    }
    for (const [name, { input, output }] of Object.entries(manifest.exports)) {
      for (const [side, type] of [
        ["input", input],
        ["output", output],
      ] as const) {
        const pointer = `/exports/${name}/${side}`;
        if (type.name === undefined) await close(draft, { schema: type.schema, assert_formats: true }, pointer);
        else await offerCodeType(draft, { ...type, name: type.name }, { module: manifest.name, pointer });
      }
    }
    return { manifest, resolved: {}, uses: [] };
  },
};

/** A module may change the types that it brought itself, as long as nobody has come to rely on them by name. */
async function offerCodeType(
  draft: Draft,
  code: CodeType & { name: string },
  origin: { module: string; pointer: string },
): Promise<void> {
  const { module, pointer } = origin;
  const type: Type = { name: code.name, description: "", schema: code.schema, assert_formats: true };
  const row = await draft.row("type", code.name);
  if (row !== undefined) {
    if (sameDefinition(row, type)) return;
    const users = (await draft.users("type", code.name)).filter(({ written }) => written);
    const from = originOf(row);
    if (from !== module || users.length > 0) {
      const reason =
        from === module
          ? `it is used by ${listUsers(users)}`
          : from === null
            ? "it was written by hand"
            : `it comes from the module "${from}"`;
      throw new SwitchyardError(
        "type_conflict",
        `Cannot change the type "${code.name}" from the module "${module}": only the module that brought a type may, while nothing names it; ${reason}`,
        {
          errors: [{ pointer, keyword: "type_conflict", detail: reason }],
          hint: `Rename the type in the code, or change the stored one: opctl edit type ${code.name}`,
        },
      );
    }
  }
  const settled = await settleType(draft, type, module);
  await draft.stage({ kind: "type", name: code.name, action: row === undefined ? "create" : "edit", ...settled });
}

export function listUsers(users: readonly { kind: string; name: string }[]): string {
  const shown = users.slice(0, 10).map(({ kind, name }) => `${kind} "${name}"`);
  return users.length > 10 ? `${shown.join(", ")} and ${users.length - 10} more` : shown.join(", ");
}
