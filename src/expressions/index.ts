/** Expressions: JSONata within limits. A mapping is compiled when its row is written, and evaluated for every event. */
export { compileExpression, type Expression } from "./compile.ts";
