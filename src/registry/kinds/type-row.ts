/** A type's row: closed when it is written, so that what other types it names is written into it. */
import { canonicalJson } from "../../core/hash.ts";
import type { Type } from "../../model/entities.ts";
import { close, definitionOf, type ClosedType } from "../close.ts";
import type { Draft, Row, Use } from "../draft.ts";
import type { Json } from "../schema.ts";
import { refuse } from "./rules.ts";

export type TypeResolution = {
  closed: ClosedType;
  /** Every named type that went into it. */
  names: string[];
  /** The module whose code said it; null for a type that someone wrote. */
  module: string | null;
};

export async function settleType(
  draft: Draft,
  manifest: Type,
  module: string | null,
): Promise<{ manifest: Json; resolved: Json; uses: Use[] }> {
  if ((manifest.schema === undefined) === (manifest.attributes === undefined)) {
    throw refuse(
      "definition_invalid",
      "",
      `Cannot store the type "${manifest.name}": it must have either schema or attributes; it has ${manifest.schema === undefined ? "neither" : "both"}`,
    );
  }
  const { closed, names } = await close(draft, definitionOf(manifest), "");
  const resolution: TypeResolution = { closed, names, module };
  return { manifest, resolved: resolution, uses: names.map((name) => ({ kind: "type", name, written: true })) };
}

export function originOf(row: Row): string | null {
  return (row.resolved as TypeResolution).module;
}

export function sameDefinition(row: Row, manifest: Type): boolean {
  return canonicalJson(definitionOf(row.manifest as Type)) === canonicalJson(definitionOf(manifest));
}

/** A type that came along with something else: made if the name is free, accepted if it is the same, else refused. */
export async function offerType(draft: Draft, manifest: Type, pointer: string): Promise<void> {
  const row = await draft.row("type", manifest.name);
  if (row === undefined) {
    const settled = await settleType(draft, manifest, null);
    await draft.stage({ kind: "type", name: manifest.name, action: "create", ...settled });
  } else if (!sameDefinition(row, manifest)) {
    throw refuse(
      "type_conflict",
      pointer,
      `Cannot store the type "${manifest.name}": its name must be free or have the same content; it is taken by other content`,
      `Choose another name, or change the stored one: opctl edit type ${manifest.name}`,
    );
  }
}
