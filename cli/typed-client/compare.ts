/** What a generated file says of operations, against what they are now. */
import type { TypedOperation } from "./document.ts";
import type { Header } from "./header.ts";

export type OperationChange = { operation: string; change: "changed" | "gone" | "new" };

/** In the order of their names; none: the file is what would be written now. */
export function compare(
  { operations: then }: Pick<Header, "operations">,
  now: readonly Pick<TypedOperation, "name" | "digest">[],
): OperationChange[] {
  const current = new Map(now.map(({ name, digest }) => [name, digest]));
  const changes = [...new Set([...then.keys(), ...current.keys()])]
    .toSorted()
    .flatMap((operation): OperationChange[] => {
      const [before, after] = [then.get(operation), current.get(operation)];
      if (before === after) return [];
      return [{ operation, change: before === undefined ? "new" : after === undefined ? "gone" : "changed" }];
    });
  return changes;
}
