/** Does the output fit the stored type? An answer that does not is a failure of the implementation, not an answer. */
import type { Outcome } from "../model/outcome.ts";
import type { ResolvedOperation } from "../model/resolved.ts";

export function checkOutput(operation: ResolvedOperation, outcome: Outcome): Outcome {
  if (!outcome.ok || operation.output.any) return outcome;
  const result = operation.output.check(JSON.parse(outcome.output));
  if (result.ok) return result.changed ? { ...outcome, output: JSON.stringify(result.value) } : outcome;
  const count = result.errors.length;
  return {
    ok: false,
    error: {
      code: "output_invalid",
      detail: `Cannot answer for "${operation.name}": its output must fit the output type; it breaks it in ${count} place${count === 1 ? "" : "s"}`,
      errors: result.errors,
    },
    retry: { kind: "may" },
    logs: outcome.logs,
  };
}
