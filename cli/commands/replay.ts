/** `opctl replay`: an execution once more, with its input, as a new execution that knows the old one. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseAnswer } from "../client.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { readExecution, replayExecution } from "../executions/api.ts";
import { accepted } from "../executions/send-call.ts";
import { parseWait } from "../executions/wait.ts";
import { parseCount } from "../numbers.ts";

type Options = { revision?: string; wait?: string | true };

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<id>", "the execution; it must have ended")
      .option("--revision <n>", "run this revision, or `latest`; else the one that was run before")
      .option("--wait [duration]", "wait for its end and print its output")
      .action(async (id: string, options: Options) => {
        await replay(contextOf(command), id, options);
      });
    examples(command, [
      ["opctl replay ex_…", "the same input and the same revision"],
      ["opctl replay ex_… --revision latest --wait", "with the code mended since"],
    ]);
  },
};

async function replay(context: Context, id: string, options: Options): Promise<void> {
  const wait = options.wait === undefined ? undefined : parseWait(options.wait);
  const revision = options.revision === undefined ? undefined : revisionOf(options.revision);
  if (revision === undefined) await sayNewer(context, id);
  await accepted(context, await replayExecution(context.client, id, revision), wait);
}

function revisionOf(text: string): number | "latest" {
  return text === "latest" ? text : parseCount("--revision", text);
}

/** Who replays after mending the code would otherwise run the old code once more, and wonder. */
async function sayNewer(context: Context, id: string): Promise<void> {
  const { operation, revision } = await readExecution(context.client, id);
  try {
    const answer = await context.client.request("GET", `/ops/${encodeURIComponent(operation)}`);
    const newest = (parseAnswer(answer) as { revision: number }).revision;
    if (newest > revision) {
      context.output.say(
        `${operation} has revision ${newest}; this replays revision ${revision}. --revision latest runs the newest.`,
      );
    }
  } catch (error) {
    // A deleted operation has nothing newer, and one that may not be looked at is none of the replay's concern.
    if (!(error instanceof SwitchyardError) || error.code === "platform_unreachable") throw error;
  }
}
