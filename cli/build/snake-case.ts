/**
 * Names of the registry from names in code: `EchoInput` → `echo_input`, `EchoOutput2` → `echo_output2`. Undefined where
 * nothing that fits a registry name is left.
 */
import { NAME_PATTERN } from "../../src/model/names.ts";

export function snakeCase(identifier: string): string | undefined {
  const name = identifier
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/[^a-z0-9_.]+/g, "_")
    .replaceAll(/^[^a-z]+|_+$/g, "");
  return NAME_PATTERN.test(name) ? name : undefined;
}
