/** `opctl subscription`: tries one out. */
import type { Command } from "commander";
import { parseAnswer } from "../client.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";

type Tested = {
  execution_id: string;
  delivered: boolean;
  output: { status: number; duration_ms: number } | { execution_id: string } | null;
  error: { code: string; detail: string } | null;
};

export const command: CommandModule = {
  define(subscription: Command) {
    const test = subscription
      .command("test")
      .description("deliver a made-up event now, once, and say what became of it")
      .argument("<name>", "the subscription")
      .addHelpText("after", "\nOne that calls an operation calls it. Exit code 0: delivered. 1: not.")
      .action((name: string) => testOne(contextOf(test), name));
    examples(test, [["opctl subscription test failures_to_desk", "does the receiver take it?"]]);
    examples(subscription, [
      [
        `opctl create subscription -s name=failures_to_desk -s 'on=["failed","dead"]' -s url=https://desk.example.com/ -s 'secrets=["desk_key"]'`,
        "a subscription is a row",
      ],
      ["opctl subscription test failures_to_desk", "does the receiver take it?"],
      ["opctl get executions --operation deliver_event", "what was told, and what was not"],
    ]);
  },
};

async function testOne(context: Context, name: string): Promise<void> {
  const { client, globals, output } = context;
  const answer = await client.request("POST", "/ops/test_subscription", { body: JSON.stringify({ name }) });
  const tested = parseAnswer(answer) as Tested;
  if (globals.json) output.value(tested);
  else output.data(sentenceOf(name, tested));
  if (!tested.delivered) context.exitWith(1);
}

function sentenceOf(name: string, { execution_id: id, output, error }: Tested): string {
  if (output === null) return `${name}: not delivered (${id}): ${error?.detail ?? "it has not ended yet"}`;
  const what =
    "status" in output
      ? `answered ${output.status} in ${output.duration_ms} ms`
      : `started the execution ${output.execution_id}`;
  return `${name}: delivered (${id}), ${what}`;
}
