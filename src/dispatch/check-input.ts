/** Does the input fit the stored type? Defaults are filled in, and only then is the text written anew. */
import { SwitchyardError } from "../core/errors.ts";
import type { ParsedJson } from "../core/json.ts";
import type { ResolvedOperation } from "../model/resolved.ts";

export function checkInput(operation: ResolvedOperation, input: ParsedJson): { text: string; value: unknown } {
  if (operation.input.any) return input;
  const result = operation.input.check(input.value);
  if (result.ok) return result.changed ? { text: JSON.stringify(result.value), value: result.value } : input;
  const count = result.errors.length;
  throw new SwitchyardError(
    "input_invalid",
    `Cannot call "${operation.name}" with this input: it must fit the input type; it breaks it in ${count} place${count === 1 ? "" : "s"}`,
    { errors: result.errors, hint: `opctl describe operation ${operation.name}` },
  );
}
