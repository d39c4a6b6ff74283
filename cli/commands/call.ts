/**
 * `opctl call`: one operation, its output on stdout exactly as the platform sent it. Where the call is accepted and
 * runs later, the execution's id instead; with --wait the output again, as of any other call.
 */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseAssignment } from "../assignments.ts";
import { parseAnswer } from "../client.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { parseDuration } from "../duration.ts";
import type { Schema } from "../input-type.ts";
import { sendCall } from "../executions/send-call.ts";
import { parseWait } from "../executions/wait.ts";
import { readInput } from "../input-words.ts";
import { readSource } from "../read-source.ts";
import type { JsonObject } from "../registry.ts";

type Options = {
  input?: string;
  timeout?: string;
  revision?: string;
  validate?: boolean;
  async?: boolean;
  wait?: string | true;
  idempotencyKey?: string;
  delay?: string;
  expires?: string;
};

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
      .option("--async", "do not wait for the end, whatever the row says: print the execution's id")
      .option("--wait [duration]", "of what runs later: wait for its end and print its output", waitWord)
      .option("--idempotency-key <key>", "the same key and input within 24 hours are one call, not two")
      .option("--delay <duration>", "start it no sooner than that from now (10m, 2h, 1d)")
      .option("--expires <duration>", "give it up if it has not started by then (30s, 1h)")
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
      ["opctl call report month=7 --async", "accept it, run it later"],
      ["opctl call report month=7 --async --wait", "the same, and wait for its output"],
    ]);
  },
};

/** Read as soon as it is met: a name that it has swallowed would else be said to be missing. */
function waitWord(word: string): string {
  if (!word.includes("=")) parseWait(word);
  return word;
}

async function call(context: Context, name: string, given: readonly string[], options: Options): Promise<void> {
  const { wait: waited } = options;
  // `--wait n=3`: the word is the next argument, not how long.
  const swallowed = typeof waited === "string" && waited.includes("=") ? [waited] : [];
  const words = [...swallowed, ...given];
  const target = options.revision === undefined ? name : `${name}@${options.revision}`;
  const route = `/ops/${encodeURIComponent(target).replace("%40", "@")}`;
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout);
  const query = queryOf(options);
  const wait = waited === undefined ? undefined : parseWait(swallowed.length > 0 ? true : waited);
  const body = await inputText(context, route, words, options.input);
  await sendCall(context, {
    route: route + query,
    body,
    headers: {
      ...(options.async === true ? { prefer: "respond-async" } : {}),
      ...(options.idempotencyKey === undefined ? {} : { "idempotency-key": options.idempotencyKey }),
    },
    timeoutMs,
    wait: wait?.limitMs === undefined && timeoutMs !== undefined && wait !== undefined ? { limitMs: timeoutMs } : wait,
  });
  if (options.validate === true) context.output.say(`The input fits the input type of ${target}.`);
}

function queryOf(options: Options): string {
  const later = (["async", "wait", "delay", "expires"] as const).find((name) => options[name] !== undefined);
  if (options.validate === true && later !== undefined) {
    throw new SwitchyardError("usage", `Cannot use --${later} with --validate: it runs nothing, now or later`);
  }
  const query = new URLSearchParams();
  if (options.validate === true) query.set("validate", "only");
  if (options.delay !== undefined) query.set("delay_ms", String(parseDuration(options.delay)));
  if (options.expires !== undefined) query.set("expires_ms", String(parseDuration(options.expires)));
  return query.size === 0 ? "" : `?${query.toString()}`;
}

async function inputText(
  context: Context,
  route: string,
  words: readonly string[],
  whole: string | undefined,
): Promise<string> {
  const text = whole === undefined ? undefined : readSource("the input", whole);
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
