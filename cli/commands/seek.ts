/** `opctl seek`: sets an agent, or many, a target. */
import type { Command } from "commander";
import { parseTarget } from "../agents/api.ts";
import { Progress } from "../agents/progress.ts";
import { followToEnd, matching, seekFleet, seekOne, type End, type Wish } from "../agents/seek.ts";
import { WaitedFor } from "../agents/waited-for.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { parseCount } from "../numbers.ts";

type Options = {
  target: string;
  wait?: boolean;
  cancel?: boolean;
  canary: string;
  maxFailures: string;
  parallel: string;
};

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<agent>", "the agent; with * in it all whose names match, which are waited for")
      .requiredOption("-t, --target <json>", "what its state should be, as a merge patch")
      .option("-w, --wait", "follow it; exit 1 unless it gets there")
      .option("--cancel", "cancel what runs for the target before")
      .option("--canary <n>", "of many, this many first; the rest only when these all get there", "0")
      .option("--max-failures <n>", "of many, go on while no more than this many do not get there", "0")
      .option("--parallel <n>", "of many, this many at once", "10")
      .action(async (name: string, options: Options) => {
        const wish = { target: parseTarget(options.target), cancel: options.cancel === true };
        const context = contextOf(command);
        if (name.includes("*")) return fleet(context, name, { ...options, ...wish });
        return one(context, name, wish, options.wait === true);
      });
    examples(command, [
      [`opctl seek counters --target '{"counters": {"a": 3}}' --wait`, "step by step, until it is there"],
      [`opctl seek 'edge-*' -t '{"version": 2}' --canary 1 --max-failures 2`, "a fleet, one first"],
    ]);
  },
};

async function one(context: Context, name: string, wish: Wish, wait: boolean): Promise<void> {
  const { client, globals, output } = context;
  const seek = await seekOne(client, name, wish);
  if (!wait) {
    if (seek.active) output.say(`The agent "${name}" works towards it: opctl watch agent ${name}`);
    else output.say(restsText(name));
    if (globals.json) output.value(seek);
    return;
  }
  const progress = new Progress(output);
  const waitedFor = new WaitedFor(client, name);
  const over = new AbortController();
  void waitedFor.say((line) => output.say(line), over.signal);
  let end: End;
  try {
    end = await followToEnd(client, seek, (event) => {
      waitedFor.heard();
      progress.tell(event);
    });
  } finally {
    over.abort();
    progress.end();
  }
  if (end.phase === "waiting") output.say(restsText(name));
  if (end.phase === "unreachable" || end.phase === "failed") output.say(`What was tried: ${planCommand(name, wish)}`);
  if (end.phase !== "reached") context.exitWith(1);
  if (globals.json) output.value(end);
}

/** Characters of a target that are worth repeating. */
const LONGEST_TARGET = 500;

function planCommand(name: string, { target }: Wish): string {
  const text = JSON.stringify(target).replaceAll("'", String.raw`'\''`);
  return `opctl plan ${name} --target ${text.length > LONGEST_TARGET ? "…" : `'${text}'`} --why`;
}

function restsText(name: string): string {
  return `The agent "${name}" starts nothing: its row says active: false. It goes on after: opctl edit agent ${name} -s active=true`;
}

async function fleet(
  context: Context,
  pattern: string,
  options: Wish & Omit<Options, "target" | "cancel">,
): Promise<void> {
  const { client, globals, output } = context;
  const names = await matching(client, pattern);
  const { ends, left } = await seekFleet(context, names, {
    target: options.target,
    cancel: options.cancel,
    canary: options.canary === "0" ? 0 : parseCount("--canary", options.canary),
    maxFailures: options.maxFailures === "0" ? 0 : parseCount("--max-failures", options.maxFailures),
    parallel: parseCount("--parallel", options.parallel),
  });
  const reached = ends.filter(({ phase }) => phase === "reached").length;
  if (reached < names.length) context.exitWith(1);
  if (globals.json) return output.value({ ends, left });
  output.data(
    `${reached} of ${names.length} there, ${ends.length - reached} not${left.length === 0 ? "" : `, ${left.length} not asked: ${left.join(" ")}`}`,
  );
}
