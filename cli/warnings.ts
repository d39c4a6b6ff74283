/** What the registry says of an entry that it has stored and that may not be what was meant. */
import type { Output } from "./output.ts";
import type { Entry } from "./registry.ts";

export function sayWarnings(output: Output, kind: string, { name, meta }: Entry): void {
  for (const { pointer, detail } of meta.warnings ?? []) output.warn(`${kind} ${name}: ${pointer}: ${detail}`);
}
