/** What follows from the edit of a type: a new revision of all that names it, in the same batch, and of nothing else. */
import { SwitchyardError } from "../../core/errors.ts";
import type { Type } from "../../model/entities.ts";
import type { Draft } from "../draft.ts";
import { closeSides } from "./operation-types.ts";
import { originOf, settleType } from "./type-row.ts";

/** Writes a new revision of everything whose manifest names the type, also by way of other types. */
export async function ripple(draft: Draft, name: string): Promise<void> {
  const users = (await draft.users("type", name)).filter(({ written }) => written);
  for (const user of users.toSorted((a, b) => Number(a.kind === "operation") - Number(b.kind === "operation"))) {
    const row = await draft.row(user.kind, user.name);
    if (row === undefined) continue;
    try {
      const settled =
        user.kind === "type"
          ? await settleType(draft, row.manifest as Type, originOf(row))
          : await closeSides(draft, row);
      await draft.stage({ kind: user.kind, name: user.name, action: "ripple", ...settled });
    } catch (error) {
      if (!(error instanceof SwitchyardError)) throw error;
      throw new SwitchyardError(
        error.code,
        `Cannot change the type "${name}": the ${user.kind} "${user.name}" must still be sound; ${error.message}`,
        error.errors === undefined ? {} : { errors: error.errors },
      );
    }
  }
}
