/** Rows → what the registry answers. */
import type { Meta, View } from "../model/view.ts";
import type { Row } from "./draft.ts";
import type { OperationResolved } from "./kinds/operation-resolved.ts";
import { withDefaults } from "./kinds/operation-settings.ts";

export function toView(row: Row, lastUsedAt?: string | null): View {
  const meta: Meta = {
    revision: row.revision,
    digest: row.digest,
    created_at: row.created_at,
    updated_at: row.updated_at,
    updated_by: row.updated_by,
  };
  if (row.kind === "operation") {
    const { implementation, input, output } = row.resolved as OperationResolved;
    meta.resolved = {
      input_type: input.name,
      output_type: output.name,
      code_sha256: implementation.kind === "module" ? implementation.sha256 : null,
    };
  }
  if (row.kind === "token") meta.last_used_at = lastUsedAt ?? null;
  return { ...(row.kind === "operation" ? withDefaults(row.manifest) : row.manifest), meta } as View;
}
