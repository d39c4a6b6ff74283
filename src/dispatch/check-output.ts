/** Does the output fit the stored type? An answer that does not is a failure of the implementation, not an answer. */
import { toSwitchyardError, type ErrorData } from "../core/errors.ts";
import { parseJsonText } from "../core/json.ts";
import { LIMITS } from "../core/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ResolvedOperation } from "../model/resolved.ts";

/** Shorter text cannot have more values than the limit: each takes a character and a comma. */
const CAN_BE_TOO_COMPLEX = 2 * LIMITS.jsonNodes - 1;

export function checkOutput(operation: ResolvedOperation, outcome: Outcome): Outcome {
  if (!outcome.ok) return outcome;
  let value: unknown;
  try {
    // The limits of the input hold here too, so that no answer can keep the check busy.
    value = outcome.output.length < CAN_BE_TOO_COMPLEX ? JSON.parse(outcome.output) : parseJsonText(outcome.output);
  } catch (thrown) {
    const { code, message } = toSwitchyardError(thrown);
    return failed(outcome, {
      code: code === "input_too_complex" ? "output_too_large" : "output_not_json",
      detail: `Cannot answer for "${operation.name}": its output must be JSON within the limits; ${message}`,
    });
  }
  // A type that allows anything still allows only JSON: the text came from where the operation's code lives.
  if (operation.output.any) return outcome;
  const result = operation.output.check(value);
  if (result.ok) return result.changed ? { ...outcome, output: JSON.stringify(result.value) } : outcome;
  const count = result.errors.length;
  return failed(outcome, {
    code: "output_invalid",
    detail: `Cannot answer for "${operation.name}": its output must fit the output type; it breaks it in ${count} place${count === 1 ? "" : "s"}`,
    errors: result.errors,
  });
}

function failed({ logs }: Outcome, error: ErrorData): Outcome {
  return { ok: false, error, retry: { kind: "may" }, logs };
}
