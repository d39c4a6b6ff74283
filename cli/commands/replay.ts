/**
 * `opctl replay`: an execution once more, with its input; or a delivery to a webhook, mapped as the webhook is now. What is new
 * knows what it repeats.
 */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseAnswer } from "../client.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { readExecution, replayDelivery, replayExecution } from "../executions/api.ts";
import { accepted } from "../executions/send-call.ts";
import { parseWait, type Wait } from "../executions/wait.ts";
import { parseCount } from "../numbers.ts";

type Options = { revision?: string; wait?: string | true };

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<id>", "the execution, which must have ended; or the delivery")
      .option("--revision <n>", "executions: run this revision, or `latest`; else the one that was run before")
      .option("--wait [duration]", "wait for its end and print its output")
      .action(async (id: string, options: Options) => {
        await replay(contextOf(command), id, options);
      });
    examples(command, [
      ["opctl replay ex_…", "the same input and the same revision"],
      ["opctl replay ex_… --revision latest --wait", "with the code mended since"],
      ["opctl replay dl_…", "what a sender sent, with the webhook's mapping mended since"],
    ]);
  },
};

async function replay(context: Context, id: string, options: Options): Promise<void> {
  const wait = options.wait === undefined ? undefined : parseWait(options.wait);
  const revision = options.revision === undefined ? undefined : revisionOf(options.revision);
  if (id.startsWith("dl_")) return again(context, id, { revision, wait });
  if (revision === undefined) await sayNewer(context, id);
  await accepted(context, await replayExecution(context.client, id, revision), wait);
}

/** It runs what the webhook's row names now, in the revision that is in force. */
async function again(
  context: Context,
  id: string,
  { revision, wait }: { revision: number | "latest" | undefined; wait: Wait | undefined },
): Promise<void> {
  if (revision !== undefined) {
    throw new SwitchyardError(
      "usage",
      `Cannot use --revision with the delivery "${id}": it runs the operation of its webhook as both are now`,
    );
  }
  const text = await replayDelivery(context.client, id);
  const { execution_id: execution } = parseAnswer({ text }) as { execution_id: string | null };
  if (execution !== null) return accepted(context, text, wait);
  context.output.data(text);
  context.output.say("It started nothing: it asks only whether somebody is there.");
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
