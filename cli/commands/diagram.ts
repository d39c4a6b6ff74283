/** `opctl diagram`: a state machine as a picture, with the state that a service is in. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { StateMachine } from "../../src/model/state-machines.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { parseKind } from "../kinds.ts";
import { listEntries, readEntry } from "../registry.ts";
import { readStatus } from "../services/api.ts";

const FORMATS = ["text", "mermaid"];

type Options = { service?: string; format?: string };

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<kind>", "state-machine")
      .argument("<name>", "the state machine")
      .option(
        "--service <name>",
        "mark the state that this service is in; else of the one that goes by it, if it is one",
      )
      .option("--format <format>", `${FORMATS.join(" or ")}; text on a terminal, mermaid elsewhere`)
      .action((kind: string, name: string, options: Options) =>
        diagram(contextOf(command), kind, { name, ...options }),
      );
    examples(command, [
      ["opctl diagram state-machine hot_cold", "states with their replicas, ways with what they ask"],
      ["opctl diagram state-machine hot_cold --service albums", "with the state that albums is in"],
      ["opctl diagram state-machine hot_cold --format mermaid", "for a page"],
    ]);
  },
};

/** What draws the other kinds that people ask for. */
const HINTS = new Map<string, (name: string) => string>([
  ["service", (name) => `opctl diagram state-machine NAME --service ${name}; opctl get service ${name} names it`],
  ["agent", (name) => `opctl plan ${name} --target JSON --format mermaid`],
]);

async function diagram(
  context: Context,
  word: string,
  { name, service, format }: Options & { name: string },
): Promise<void> {
  const { client, output } = context;
  const kind = parseKind(word);
  if (kind !== "state_machine") {
    throw new SwitchyardError("usage", `Cannot draw "${word}": it must be a state-machine; it is another kind`, {
      hint: HINTS.get(kind)?.(name) ?? "opctl get state-machines",
    });
  }
  const wanted = format ?? (output.terminal ? "text" : "mermaid");
  if (!FORMATS.includes(wanted)) {
    throw new SwitchyardError("usage", `Cannot draw it as "${wanted}": --format must be ${FORMATS.join(" or ")}`);
  }
  const machine = (await readEntry(client, "state_machine", name)).entry as unknown as StateMachine;
  const current = service === undefined ? await onlyState(context, name) : await stateOf(context, { name, service });
  const { toMermaid, toText } = await import("../../src/machines/diagram.ts");
  const text = wanted === "mermaid" ? toMermaid(machine, current) : toText(machine, current);
  if (context.globals.json)
    output.value({ state_machine: name, current: current ?? null, format: wanted, diagram: text });
  else output.data(text);
}

async function stateOf({ client }: Context, { name, service }: { name: string; service: string }): Promise<string> {
  const { entry } = await readEntry(client, "service", service);
  if (entry["state_machine"] === name) return (await readStatus(client, service)).state;
  throw new SwitchyardError(
    "usage",
    `Cannot mark the state of "${service}" in "${name}": it must go by that state machine; it goes by "${String(entry["state_machine"])}"`,
    { hint: `opctl diagram state-machine ${String(entry["state_machine"])} --service ${service}` },
  );
}

/** Of the one service that goes by it. With several, or where nobody can tell, none is marked. */
async function onlyState({ client, output }: Context, name: string): Promise<string | undefined> {
  const users: string[] = [];
  for await (const entry of listEntries(client, "service", { filter: { state_machine: name }, limit: 2 })) {
    users.push(entry.name);
  }
  const [only, ...others] = users;
  if (only === undefined) return undefined;
  if (others.length > 0) {
    output.say(`Several services go by it: --service ${only} marks the state that one is in.`);
    return undefined;
  }
  const status = await readStatus(client, only).catch(() => undefined);
  if (status !== undefined) output.say(`Marked is the state of the service "${only}".`);
  return status?.state;
}
