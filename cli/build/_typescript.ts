/**
 * TypeScript 5, as the schema generator brings it: the compiler's newest version has no API for other programs, and the
 * generator and our own reading of a file must share one syntax tree. Loaded on first use: it takes 200 ms.
 */
import { createRequire } from "node:module";
import type TypeScript from "typescript5";

export type { TypeScript };

let loaded: typeof TypeScript | undefined;

export function typescript(): typeof TypeScript {
  loaded ??= createRequire(import.meta.resolve("ts-json-schema-generator"))("typescript") as typeof TypeScript;
  return loaded;
}
