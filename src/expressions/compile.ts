/** From the text of an expression to something that can be evaluated again and again. */
import jsonata from "jsonata";
import { SwitchyardError } from "../core/errors.ts";

export type Expression = {
  readonly source: string;
  /** Plain JSON, sharing nothing with `input`. Throws expression_failed or expression_limit. */
  evaluate(input: unknown, bindings?: Readonly<Record<string, unknown>>): Promise<unknown>;
};

/** Throws expression_invalid with the position and what was expected there. */
export async function compileExpression(source: string): Promise<Expression> {
  let program: jsonata.Expression;
  try {
    program = jsonata(source);
  } catch (cause) {
    const { message, position } = cause as { message: string; position: number };
    throw new SwitchyardError("expression_invalid", `Cannot compile the expression at ${position}: ${message}`, {
      cause,
    });
  }
  return {
    source,
    evaluate: async (input, bindings) => {
      try {
        return await program.evaluate(input, bindings);
      } catch (cause) {
        const { message, code } = cause as { message: string; code: string };
        throw new SwitchyardError("expression_failed", `Cannot evaluate the expression: ${code}: ${message}`, {
          cause,
        });
      }
    },
  };
}
