/** `opctl logs`: what an execution's handler wrote, over all its attempts, and with --follow what it still writes. */
import type { Command } from "commander";
import type { ExecutionLogLine } from "../../src/model/execution.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { readExecution, readLogs } from "../executions/api.ts";
import { followExecution } from "../executions/follow.ts";
import { renderLogLine, renderState } from "../executions/lines.ts";

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<id>", "the execution")
      .option("-f, --follow", "go on with what it still writes, to its end")
      .action(async (id: string, options: { follow?: boolean }) => {
        const context = contextOf(command);
        if (options.follow === true) await follow(context, id);
        else await show(context, id);
      });
    examples(command, [
      ["opctl logs ex_…", "all lines; #2 marks the second attempt, a level stands where it is not info"],
      ["opctl logs ex_… --follow", "to the execution's end"],
      ["opctl logs ex_… --json | jq .message", "one JSON object a line"],
    ]);
  },
};

async function show(context: Context, id: string): Promise<void> {
  const { attempt, mode } = await readExecution(context.client, id);
  let count = 0;
  for await (const line of readLogs(context.client, id)) {
    print(context, line, attempt > 1);
    count++;
  }
  if (count > 0) return;
  context.output.say(
    mode === "sync"
      ? "The log of a synchronous call is not kept: its lines are in the platform's own output."
      : `The execution ${id} has logged nothing.`,
  );
}

/** Its states are talk, its lines are data: `opctl logs ID --follow > file` keeps the log alone. */
async function follow(context: Context, id: string): Promise<void> {
  let attempts = false;
  let shown = "";
  for await (const happening of followExecution(context.client, id)) {
    if (happening.type === "log") {
      print(context, happening.line, attempts);
      continue;
    }
    attempts = happening.execution.attempt > 1;
    const state = renderState(happening.execution);
    if (state !== shown) context.output.progress(state);
    shown = state;
  }
}

function print(context: Context, line: ExecutionLogLine, attempts: boolean): void {
  if (context.globals.json) context.output.value(line);
  else context.output.data(renderLogLine(line, { attempts }));
}
