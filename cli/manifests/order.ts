/**
 * The order in which manifests are written so that what one names is there before it: secrets, types, modules,
 * environments, operations, triggers; and a type after the types that it names. Pruning goes the other way round.
 */
import type { Kind } from "../../src/model/entities.ts";
import { MANIFEST_KINDS } from "./user-made.ts";

const KIND_ORDER: readonly Kind[] = ["token", "secret", ...MANIFEST_KINDS];

type Named = { kind: Kind; name: string; content: unknown };

export function inOrder<T extends Named>(documents: readonly T[]): T[] {
  const types = new Map(documents.filter(({ kind }) => kind === "type").map((type) => [type.name, type]));
  const placed = new Set<string>();
  const ordered: T[] = [];
  const place = (type: T): void => {
    if (placed.has(type.name)) return; // Also where types name each other in a circle: the registry has the last word.
    placed.add(type.name);
    for (const name of stringsIn(type.content)) {
      const named = types.get(name);
      if (named !== undefined) place(named);
    }
    ordered.push(type);
  };
  for (const type of types.values()) place(type);
  const rank = (document: Named): number => KIND_ORDER.indexOf(document.kind);
  const others = documents.filter(({ kind }) => kind !== "type");
  // The sort is stable, so the order of the types among themselves stays.
  return [...ordered, ...others].toSorted((a, b) => rank(a) - rank(b));
}

/** Every string in the value: one of them may be another type's name, as `data_type` or at the end of a `$ref`. */
function* stringsIn(value: unknown): Generator<string> {
  if (typeof value === "string") {
    yield value;
    const tail = value.split(/[/#]/).at(-1);
    if (tail !== undefined && tail !== value) yield tail;
  } else if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) yield* stringsIn(member);
  }
}
