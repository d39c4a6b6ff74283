/** An expression that cannot be compiled would fail whenever it is asked: it is refused when it is written. */
import { toSwitchyardError } from "../../core/errors.ts";
import { compileExpression } from "../../expressions/index.ts";
import { refuse } from "./rules.ts";

/** Throws expression_invalid at the pointer. `what` has it: `the webhook "pushes"`. */
export async function checkCompiles(
  what: string,
  { source, pointer }: { source: string; pointer: string },
): Promise<void> {
  try {
    await compileExpression(source);
  } catch (thrown) {
    const { code, message, hint } = toSwitchyardError(thrown);
    throw refuse(code, pointer, `Cannot store ${what}: ${message}`, hint);
  }
}
