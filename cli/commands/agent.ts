/** `opctl agent`: what an agent is at, stopping it, and telling it what is. Its row is made as any other's. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseJsonText } from "../../src/core/json.ts";
import { askAgent, readStatus, type AgentDirectedView } from "../agents/api.ts";
import { statusText, stopText } from "../agents/lines.ts";
import { attemptsOf } from "../agents/waited-for.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";

export const command: CommandModule = {
  define(agent: Command) {
    const status = agent
      .command("status")
      .description("its state, target, phase and the steps of its plan")
      .argument("<name>", "the agent")
      .action(async (name: string) => {
        const context = contextOf(status);
        await print(context, await readStatus(context.client, name));
      });
    const stop = agent
      .command("stop")
      .description("start nothing more until it is set a target again")
      .argument("<name>", "the agent")
      .option("--cancel", "cancel what runs")
      .action(async (name: string, { cancel }: { cancel?: boolean }) => {
        const context = contextOf(stop);
        const status = await askAgent<AgentDirectedView>(context.client, name, "stop", { cancel: cancel === true });
        const said = stopText(status, cancel === true);
        if (said !== undefined) context.output.say(said);
        await print(context, status);
      });
    const sense = agent
      .command("sense")
      .description("tell it what is at a place of its state")
      .argument("<name>", "the agent")
      .argument("<path>", "the place, such as /counters/a")
      .argument("[value]", "JSON; without, nothing is there")
      .action(async (name: string, path: string, value: string | undefined) => {
        const context = contextOf(sense);
        const body = value === undefined ? { path } : { path, value: parseValue(value) };
        await print(context, await askAgent(context.client, name, "sense", body));
      });
    examples(sense, [["opctl agent sense counters /counters/a 2", "somebody has looked"]]);
  },
};

async function print({ client, globals, output }: Context, status: AgentDirectedView): Promise<void> {
  if (globals.json) output.value(status);
  else output.data(statusText(status, await attemptsOf(client, status.plan)));
}

function parseValue(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch (cause) {
    throw new SwitchyardError("usage", `Cannot read the value "${text.slice(0, 100)}": it must be JSON; it is not`, {
      hint: `text goes in double quotes: '"${text}"'`,
      cause,
    });
  }
}
