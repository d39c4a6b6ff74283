/** `opctl cancel`: executions that are not wanted any more. One that cannot be cancelled does not keep the others. */
import type { Command } from "commander";
import { toSwitchyardError } from "../../src/core/errors.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { cancelExecution, executionRoute } from "../executions/api.ts";
import { exitCodeOf } from "../exit-codes.ts";

export const command: CommandModule = {
  define(command: Command) {
    command.argument("<id...>", "the executions").action(async (ids: string[]) => {
      await cancel(contextOf(command), ids);
    });
    examples(command, [
      ["opctl cancel ex_…", "what it started is cancelled with it"],
      [`opctl get executions --status queued --json | jq -r '.[].id' | xargs opctl cancel`, "many"],
    ]);
  },
};

async function cancel(context: Context, ids: readonly string[]): Promise<void> {
  for (const id of ids) executionRoute(id); // A mistyped one is said before any is cancelled.
  const cancelled: ExecutionView[] = [];
  let failed = false;
  for (const id of ids) {
    try {
      const execution = await cancelExecution(context.client, id);
      cancelled.push(execution);
      context.output.say(`execution ${id}: ${execution.status}`);
    } catch (thrown) {
      const error = toSwitchyardError(thrown);
      context.output.problem(error);
      if (!failed) context.exitWith(exitCodeOf(error.code));
      failed = true;
    }
  }
  if (context.globals.json) context.output.value(cancelled);
}
