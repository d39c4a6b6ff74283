/** The registry's one door to src/types: names in definitions are looked up among the types as this write leaves them. */
import { closeType, compileType, type ClosedType, type TypeDefinition } from "../types/index.ts";
import { SwitchyardError } from "../core/errors.ts";
import type { Type } from "../model/entities.ts";
import type { Draft } from "./draft.ts";

export type { ClosedType };
export type Definition = TypeDefinition;

/** `names` are the named types that went into it, directly or not. Pointers in errors start with `pointer`. */
export async function close(
  draft: Draft,
  definition: Definition,
  pointer: string,
): Promise<{ closed: ClosedType; names: string[] }> {
  const known = new Map<string, Definition | undefined>();
  // closeType() is pure: it says which names it needs by asking, and is asked again once they have been read.
  for (;;) {
    const missing = new Set<string>();
    let outcome: { closed: ClosedType; names: string[] } | undefined;
    let failure: unknown;
    try {
      const { schema, names } = closeType(definition, resolve(known, missing));
      // Compiling is what finds a schema that cannot be honoured, with pointers into the definition.
      if (missing.size === 0) await compileType(definition, resolve(known, missing));
      outcome = { closed: schema, names };
    } catch (error) {
      failure = error;
    }
    if (missing.size === 0) {
      if (outcome !== undefined) return outcome;
      throw underPointer(failure, pointer);
    }
    for (const name of missing) {
      const row = await draft.row("type", name);
      known.set(name, row === undefined ? undefined : definitionOf(row.manifest as Type));
    }
  }
}

function resolve(known: ReadonlyMap<string, Definition | undefined>, missing: Set<string>) {
  return (name: string): Definition | undefined => {
    if (!known.has(name)) missing.add(name);
    return known.get(name);
  };
}

export function definitionOf({ schema, attributes, assert_formats }: Type): Record<string, unknown> {
  return {
    ...(schema === undefined ? {} : { schema }),
    ...(attributes === undefined ? {} : { attributes }),
    ...(assert_formats === undefined ? {} : { assert_formats }),
  };
}

function underPointer(error: unknown, pointer: string): unknown {
  if (!(error instanceof SwitchyardError) || error.errors === undefined || pointer === "") return error;
  const errors = error.errors.map((issue) => ({ ...issue, pointer: pointer + issue.pointer }));
  return new SwitchyardError(error.code, error.message, {
    errors,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}
