/**
 * `opctl chain`: operations one after another, each given the output object of the one before. The platform runs it, as
 * one execution whose steps are executions too: it goes on when this command ends.
 */
import type { Command } from "commander";
import { parseChain } from "../chain/parse.ts";
import { contextOf, examples, type CommandModule } from "../command.ts";
import { sendCall } from "../executions/send-call.ts";

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<steps>", "operations with their arguments, joined by `|`, as one quoted word")
      .option("--async", "do not wait for the end: print the execution's id")
      .option("--idempotency-key <key>", "the same key and steps within 24 hours are one chain, not two")
      .action(async (text: string, options: { async?: boolean; idempotencyKey?: string }) => {
        await sendCall(contextOf(command), {
          route: "/ops/chain",
          body: JSON.stringify({ steps: parseChain(text) }),
          headers: options.idempotencyKey === undefined ? {} : { "idempotency-key": options.idempotencyKey },
          wait: options.async === true ? undefined : {},
        });
      });
    examples(command, [
      [`opctl chain 'echo(input_str="hi") | shout'`, "the output object of one is the input of the next"],
      [`opctl chain 'echo(input_str=hi) | shout(output_str=override)'`, "arguments on the right side override"],
      [`opctl chain 'echo@1(input_str=hi) | shout'`, "a revision"],
      [`opctl chain 'collect(day=3) | publish' --async`, "leave it to itself: opctl get execution ID shows its steps"],
    ]);
  },
};
