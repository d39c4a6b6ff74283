/** Stored types: a definition → a self-contained JSON Schema and a compiled check. */
export { ANY, compileType } from "./compile.ts";
export { closeType, type ClosedType } from "./close.ts";
export type { TypeDefinition } from "./definition.ts";
export { follow, pointerTokens, propertyOf } from "./inside.ts";
export { takesMany, textReader, type TextReader } from "./texts.ts";
