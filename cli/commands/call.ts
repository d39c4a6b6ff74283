/** `opctl call`: one operation, its output on stdout exactly as the platform sent it. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseAssignment } from "../assignments.ts";
import { parseAnswer } from "../client.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { parseDuration } from "../duration.ts";
import type { Schema } from "../input-type.ts";
import { readInput } from "../input-words.ts";
import type { JsonObject } from "../registry.ts";

type Options = { input?: string; timeout?: string; revision?: string; validate?: boolean };

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<name>", "the operation; name@3 runs revision 3")
      .argument(
        "[key=value...]",
        "the input's members: text where the type says string, otherwise JSON; key:=json always",
      )
      .option(
        "-i, --input <json>",
        "the input whole: JSON, @file, or - for stdin; key=value words override its members",
      )
      .option("--timeout <duration>", "stop waiting after this long (500ms, 10s, 2m): exit code 7")
      .option("--revision <n>", "run this revision, the same as name@n")
      .option("--validate", "only check the input against the type; run nothing")
      .action(async (name: string, words: string[], options: Options) => {
        await call(contextOf(command), name, words, options);
      });
    examples(command, [
      ["opctl call echo input_str=hi", "the type says string: verbatim"],
      ["opctl call add a=1 'b=2'", "numbers are JSON"],
      ["opctl call echo 'input_str:=\"007\"'", ":= is JSON whatever the type"],
      ["opctl call echo --input @input.json", "from a file"],
      ['echo \'{"input_str":"hi"}\' | opctl call echo -i -', "from stdin"],
      ["opctl call echo@2 input_str=hi", "a revision"],
    ]);
  },
};

async function call(context: Context, name: string, words: readonly string[], options: Options): Promise<void> {
  const target = options.revision === undefined ? name : `${name}@${options.revision}`;
  const route = `/ops/${encodeURIComponent(target).replace("%40", "@")}`;
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout);
  const body = await inputText(context, route, words, options.input);
  const answer = await context.client.request("POST", options.validate === true ? `${route}?validate=only` : route, {
    body,
    timeoutMs,
  });
  if (options.validate === true) context.output.say(`The input fits the input type of ${target}.`);
  if (answer.text !== "") context.output.data(answer.text);
}

async function inputText(
  context: Context,
  route: string,
  words: readonly string[],
  whole: string | undefined,
): Promise<string> {
  const text = whole === undefined ? undefined : readWhole(whole);
  if (words.length === 0) return text ?? "{}"; // As given: the platform checks it, digit for digit.
  const assignments = words.map(parseAssignment);
  // The type is a second request; it is needed only where the same text could mean two things.
  const schema = assignments.every(({ json }) => json) ? true : await inputSchema(context, route);
  return JSON.stringify({ ...(text === undefined ? {} : parseObject(text)), ...readInput(assignments, schema) });
}

async function inputSchema(context: Context, route: string): Promise<Schema> {
  const described = parseAnswer(await context.client.request("GET", route)) as { input_schema?: Schema };
  return described.input_schema ?? true;
}

function readWhole(source: string): string {
  if (source !== "-" && !source.startsWith("@")) return source;
  const file = source === "-" ? 0 : source.slice(1);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new SwitchyardError(
      "usage",
      `Cannot read the input from "${source}": the file must be readable; ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  let reason = "it is not an object";
  try {
    value = JSON.parse(text);
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new SwitchyardError(
    "usage",
    `Cannot set members of --input: key=value words need it to be a JSON object; ${reason}`,
    { hint: "Leave the words out to send --input as it is." },
  );
}
