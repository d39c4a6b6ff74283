/** The examples of an operation fit its types, whenever a revision is made: what is shown can be called as it stands. */
import type { Issue } from "../../core/errors.ts";
import { SwitchyardError } from "../../core/errors.ts";
import { utf8Length } from "../../core/hash.ts";
import { toPointer } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Operation } from "../../model/entities.ts";
import { compileType } from "../../types/index.ts";
import type { OperationResolved } from "./operation-resolved.ts";
import { refuse } from "./rules.ts";

/** A closed type names nothing outside itself. */
const nothing = () => undefined;

/** Of a batch operation they are those of one item, as its types are. Throws definition_invalid. */
export async function checkExamples(
  { name, examples }: Operation,
  { input, output }: Pick<OperationResolved, "input" | "output">,
): Promise<void> {
  if (examples.length === 0) return;
  const bytes = utf8Length(JSON.stringify(examples));
  if (bytes > LIMITS.examplesBytes) {
    throw refuse(
      "definition_invalid",
      "/examples",
      `Cannot store the examples of "${name}": together they may have ${LIMITS.examplesBytes} bytes; they have ${bytes}`,
    );
  }
  const types = {
    input: await compileType(input.closed, nothing),
    output: await compileType(output.closed, nothing),
  };
  const errors: Issue[] = [];
  for (const [place, example] of examples.entries()) {
    for (const side of ["input", "output"] as const) {
      if (!Object.hasOwn(example, side)) continue;
      const result = types[side].check(example[side]);
      if (result.ok) continue;
      const pointer = toPointer(["examples", String(place), side]);
      for (const issue of result.errors) errors.push({ ...issue, pointer: pointer + issue.pointer });
    }
  }
  const [first] = errors;
  if (first === undefined) return;
  throw new SwitchyardError(
    "definition_invalid",
    `Cannot store the examples of "${name}": each must fit the operation's types; ${first.pointer} ${first.detail}`,
    { errors, hint: `opctl edit operation ${name} mends them with the types; -s 'examples=[]' drops them` },
  );
}
