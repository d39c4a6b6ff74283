/** `opctl watch`: what happens to an agent or a service, as it happens, until Ctrl-C. */
import type { Command } from "commander";
import { followAgent, readStatus as readAgent } from "../agents/api.ts";
import { lineOf } from "../agents/lines.ts";
import { WaitedFor } from "../agents/waited-for.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { followService, lastSeq, readStatus } from "../services/api.ts";
import { eventLine, readyOf } from "../services/status-text.ts";

export const command: CommandModule = {
  define(watch: Command) {
    const agent = watch
      .command("agent")
      .description("an agent's plans, steps, changes of state and phases")
      .argument("<name>", "the agent")
      .option("--all", "with what is remembered of the past")
      .action((name: string, { all }: { all?: boolean }) => watchAgent(contextOf(agent), name, all === true));
    examples(agent, [["opctl watch agent counters", "until Ctrl-C"]]);
    const service = watch
      .command("service")
      .description("a service's states, and its replicas' coming and going")
      .argument("<name>", "the service")
      .option("--all", "with what is remembered of the past")
      .action((name: string, { all }: { all?: boolean }) => watchService(contextOf(service), name, all === true));
    examples(service, [["opctl watch service albums", "until Ctrl-C"]]);
  },
};

async function watchAgent({ client, globals, output }: Context, name: string, all: boolean): Promise<void> {
  const { event, phase } = await readAgent(client, name);
  if (!all) output.say(phase);
  const waitedFor = new WaitedFor(client, name);
  // Until Ctrl-C.
  if (!globals.json) void waitedFor.say((line) => output.say(line), new AbortController().signal);
  for await (const happened of followAgent(client, name, all ? 0 : event)) {
    waitedFor.heard();
    if (globals.json) output.value(happened);
    else output.data(lineOf(happened) ?? happened.type);
  }
}

async function watchService({ client, globals, output }: Context, name: string, all: boolean): Promise<void> {
  const status = await readStatus(client, name);
  if (!all) output.say(`${status.state}, ${readyOf(status)} ready`);
  for await (const { type: _type, ...event } of followService(client, name, all ? 0 : lastSeq(status))) {
    if (globals.json) output.value(event);
    else output.data(eventLine(event));
  }
}
