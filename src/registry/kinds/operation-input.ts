/** An input that a row gives to an operation, held to the operation's type as it is now, as dispatch will hold it. */
import { SwitchyardError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Operation } from "../../model/entities.ts";
import { compileType } from "../../types/index.ts";
import type { Row } from "../draft.ts";
import type { OperationResolved } from "./operation-resolved.ts";
import { refuse } from "./rules.ts";

/** Throws definition_invalid at the pointer. `what` gives it: `the schedule "nightly"`. */
export async function checkInputFits(
  what: string,
  { row, input, pointer }: { row: Row; input: unknown; pointer: string },
): Promise<void> {
  const { name, batch } = row.manifest as Operation;
  const type = await compileType((row.resolved as OperationResolved).input.closed, () => undefined);
  if (batch && (!Array.isArray(input) || input.length > LIMITS.batchItems)) {
    throw refuse(
      "definition_invalid",
      pointer,
      `Cannot store ${what}: the input must be a list of at most ${LIMITS.batchItems} items, since "${name}" takes a batch; it is ${Array.isArray(input) ? `a list of ${input.length}` : "none"}`,
    );
  }
  const items = batch
    ? (input as unknown[]).map((item, place) => ({ item, at: `${pointer}/${place}` }))
    : [{ item: input, at: pointer }];
  for (const { item, at } of items) {
    const result = type.check(item);
    if (result.ok) continue;
    const [first] = result.errors;
    const detail = `Cannot store ${what}: its input must fit the input type of "${name}"; ${at}${first?.pointer ?? ""} ${first?.detail ?? "does not"}`;
    throw new SwitchyardError("definition_invalid", detail, {
      hint: `opctl describe operation ${name}`,
      errors: result.errors.map(({ pointer: inside, keyword, detail: why }) => ({
        pointer: at + inside,
        keyword,
        detail: why,
      })),
    });
  }
}
