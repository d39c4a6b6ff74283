/** `opctl service`: what a service is at, and what one can want of it. Its row is made as any other's. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { parseDuration } from "../duration.ts";
import { commandService, lastSeq, lookAt, readSeen, type ServiceCommand, type ServiceSeen } from "../services/api.ts";
import { settledOf } from "../services/settled.ts";
import { eventLine, seenText } from "../services/status-text.ts";

type Options = { wait?: boolean; timeout?: string };

const COMMANDS = [
  ["deploy", "make a service hot now, as if a request waited for it"],
  ["undeploy", "stop a service once its requests have ended; the next request makes it hot again"],
  ["restart", "replace each replica, one after another, without a failed request"],
] as const;

export const command: CommandModule = {
  define(service: Command) {
    for (const [name, description] of COMMANDS) {
      const verb = waiting(service.command(name).description(description).argument("<name>", "the service"));
      verb.action((target: string, options: Options) => direct(contextOf(verb), target, { command: name, options }));
    }
    const scale = waiting(
      service
        .command("scale")
        .description("set how many replicas it has, in a state that leaves that open")
        .argument("<name>", "the service")
        .argument("<replicas>", "how many, within the bounds of its row"),
    );
    scale.action((target: string, count: string, options: Options) =>
      direct(contextOf(scale), target, { command: "scale", replicas: parseReplicas(count), options }),
    );
    examples(scale, [["opctl service scale albums 3 --wait", "until there are three that are ready"]]);
    const status = service
      .command("status")
      .description("its state and why, its replicas, how it is reached, what would move it")
      .argument("<name>", "the service")
      .action(async (name: string) => {
        const context = contextOf(status);
        print(context, await readSeen(context.client, name));
      });
    examples(service, [
      ["opctl service deploy albums --wait", "warm it before the first request; exit 1 where it does not come up"],
      ["opctl service status albums", "the same as opctl get service albums"],
      ["opctl watch service albums", "what happens to it, as it happens"],
      ["opctl diagram state-machine hot_cold --service albums", "its state machine, with the state that it is in"],
      ["opctl edit service albums -s active=false", "stop it, and refuse its requests"],
    ]);
  },
};

function waiting(command: Command): Command {
  return command
    .option("--wait", "until it is so, and tell what happens meanwhile")
    .option("--timeout <duration>", "with --wait, stop waiting after this long (10s, 2m): exit code 7");
}

type Wanted = { command: ServiceCommand; replicas?: number; options: Options };

async function direct(context: Context, name: string, { options, ...wanted }: Wanted): Promise<void> {
  const { client } = context;
  const limitMs = options.timeout === undefined ? undefined : parseDuration(options.timeout);
  if (limitMs !== undefined && options.wait !== true) {
    throw new SwitchyardError("usage", "Cannot use --timeout without --wait: nothing is waited for");
  }
  const before = await readSeen(client, name);
  const answered = await commandService(client, name, wanted);
  if (options.wait !== true) return print(context, answered);
  const giveUpAt = limitMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + limitMs;
  for await (const { status, events } of lookAt(client, name, lastSeq(before))) {
    for (const event of events) context.output.say(eventLine(event));
    const settled = settledOf(status, wanted.command);
    if (settled.done) return print(context, status);
    if (settled.stuck !== undefined) {
      print(context, status);
      context.output.say(`The service "${name}" does not get there by itself: ${settled.stuck}`);
      return context.exitWith(1);
    }
    if (Date.now() >= giveUpAt) {
      throw new SwitchyardError(
        "timeout",
        `Cannot wait any longer: --timeout was ${limitMs ?? 0} ms; the service "${name}" is still on its way, in the state "${status.state}"`,
        { hint: `opctl service status ${name} says what it waits for.` },
      );
    }
  }
}

function print({ globals, output }: Context, seen: ServiceSeen): void {
  if (globals.json) output.value(seen);
  else output.data(seenText(seen));
}

function parseReplicas(text: string): number {
  if (/^[0-9]{1,4}$/.test(text)) return Number(text);
  throw new SwitchyardError("usage", `Cannot read the replicas "${text}": it must be a whole number, such as 3`);
}
