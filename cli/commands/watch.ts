/** `opctl watch`: what happens to an agent, as it happens, until Ctrl-C. */
import type { Command } from "commander";
import { followAgent, readStatus } from "../agents/api.ts";
import { lineOf } from "../agents/lines.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";

export const command: CommandModule = {
  define(watch: Command) {
    const agent = watch
      .command("agent")
      .description("an agent's plans, steps, changes of state and phases")
      .argument("<name>", "the agent")
      .option("--all", "with what is remembered of the past")
      .action((name: string, { all }: { all?: boolean }) => watchAgent(contextOf(agent), name, all === true));
    examples(agent, [["opctl watch agent counters", "until Ctrl-C"]]);
  },
};

async function watchAgent({ client, globals, output }: Context, name: string, all: boolean): Promise<void> {
  const { event, phase } = await readStatus(client, name);
  if (!all) output.say(phase);
  for await (const happened of followAgent(client, name, all ? 0 : event)) {
    if (globals.json) output.value(happened);
    else output.data(lineOf(happened) ?? happened.type);
  }
}
