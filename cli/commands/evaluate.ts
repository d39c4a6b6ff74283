/** `opctl evaluate`: what an expression makes of an event, within the platform's own limits. Asks no platform. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { contextOf, examples, type CommandModule } from "../command.ts";
import { readSource } from "../read-source.ts";

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<expression>", "JSONata, or @file")
      .option("-i, --input <json>", "the event: JSON, @file, or - for stdin", "null")
      .action(async (expression: string, { input }: { input: string }) => {
        const { compileExpression } = await import("../../src/expressions/index.ts");
        const compiled = await compileExpression(readSource("the expression", expression).trim());
        contextOf(command).output.value(await compiled.evaluate(parseEvent(readSource("the event", input))));
      });
    examples(command, [
      [`opctl evaluate 'items[price > 20].sku[]' --input @event.json`, "before it is stored as a mapping"],
      ["opctl evaluate @mapping.jsonata --input - < event.json", ""],
    ]);
  },
};

function parseEvent(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SwitchyardError("usage", `Cannot read --input: it must be JSON; ${(cause as Error).message}`, {
      hint: "a file is written @event.json",
      cause,
    });
  }
}
