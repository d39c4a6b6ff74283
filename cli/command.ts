/**
 * What a command file is made of. A command declares itself on a commander `Command` and gets a context when it runs;
 * it throws a SwitchyardError to fail, and never touches stdout, stderr or process.exit itself.
 */
import type { Command } from "commander";
import { createClient, type Client } from "./client.ts";
import { findCredentials } from "./credentials.ts";
import type { ExitCode } from "./exit-codes.ts";
import { createOutput, type Output } from "./output.ts";

type Globals = {
  url?: string;
  token?: string;
  state: string;
  json: boolean;
  quiet: boolean;
};

export type Context = {
  readonly globals: Globals;
  readonly output: Output;
  /** Finds the credentials when it is first used, so that commands that need no platform need none. */
  readonly client: Client;
  /** For a command that worked and still has bad news: `diff`, `doctor`. */
  exitWith(code: ExitCode): void;
};

export type CommandModule = { define(command: Command): void };

export function contextOf(command: Command): Context {
  const all = command.optsWithGlobals<Partial<Globals>>();
  const globals: Globals = {
    ...all,
    state: all.state ?? ".switchyard",
    json: all.json === true,
    quiet: all.quiet === true,
  };
  const output = createOutput(globals);
  let client: Client | undefined;
  return {
    globals,
    output,
    get client() {
      client ??= createClient(findCredentials(globals, { warn: (text) => output.warn(text) }), (text) =>
        output.say(text),
      );
      return client;
    },
    exitWith: (code) => {
      process.exitCode = code;
    },
  };
}

/** Examples below a command's help. Each pair is a command line and what it does. */
export function examples(command: Command, lines: readonly (readonly [string, string])[]): void {
  const width = Math.min(64, Math.max(...lines.map(([line]) => line.length)));
  const text = lines.map(([line, what]) => {
    if (what === "") return `  $ ${line}`;
    return line.length > width ? `  $ ${line}\n    ${" ".repeat(width)}${what}` : `  $ ${line.padEnd(width)}  ${what}`;
  });
  command.addHelpText("after", `\nExamples:\n${text.join("\n")}\n`);
}

/** For options that may be given many times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
