/** Stored types: a definition → a self-contained JSON Schema and a compiled check. */
export { ANY, compileType } from "./compile.ts";
export { closeType, hasIdentifiers, type ClosedType } from "./close.ts";
export type { TypeDefinition } from "./definition.ts";
export { subschemas } from "./keywords.ts";
export { follow, pointerTokens, propertyOf } from "./inside.ts";
export { takesMany, textReader, type TextReader } from "./texts.ts";
