/**
 * opctl's root: which commands there are, the options they share, and the one place where an error becomes an exit
 * code. A command's file is loaded only when its word is on the command line, because start-up time is most of what a
 * call costs.
 */
import { Command, CommanderError } from "commander";
import { didYouMean } from "../src/core/did-you-mean.ts";
import { SwitchyardError, toSwitchyardError } from "../src/core/errors.ts";
import type { CommandModule } from "./command.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { createOutput } from "./output.ts";

type Entry = { summary: string; load: () => Promise<{ command: CommandModule }>; hidden?: boolean };

const COMMANDS: Readonly<Record<string, Entry>> = {
  dev: { summary: "run the whole platform on this machine", load: () => import("./commands/dev.ts") },
  deploy: {
    summary: "bundle a file, read its types, store it as an operation",
    load: () => import("./commands/deploy.ts"),
  },
  call: { summary: "call an operation and print its output", load: () => import("./commands/call.ts") },
  chain: { summary: "call operations one after another: 'a(x=1) | b'", load: () => import("./commands/chain.ts") },
  logs: { summary: "show what an execution's handler wrote", load: () => import("./commands/logs.ts") },
  cancel: { summary: "stop executions", load: () => import("./commands/cancel.ts") },
  replay: { summary: "run an execution or a delivery again", load: () => import("./commands/replay.ts") },
  artifact: { summary: "fetch a stored result", load: () => import("./commands/artifact.ts") },
  get: {
    summary: "list entries, executions, artifacts, changes or deliveries, or show one",
    load: () => import("./commands/get.ts"),
  },
  describe: { summary: "show one entry in full, for people", load: () => import("./commands/describe.ts") },
  edit: { summary: "change an entry, in your editor or with -s", load: () => import("./commands/edit.ts") },
  create: { summary: "make a new entry", load: () => import("./commands/create.ts") },
  duplicate: { summary: "copy an entry under another name", load: () => import("./commands/duplicate.ts") },
  delete: { summary: "take an entry away", load: () => import("./commands/delete.ts") },
  rollback: { summary: "restore an earlier revision", load: () => import("./commands/rollback.ts") },
  apply: { summary: "make the registry match manifests", load: () => import("./commands/apply.ts") },
  diff: { summary: "show what apply would do", load: () => import("./commands/diff.ts") },
  export: { summary: "write entries as manifests", load: () => import("./commands/export.ts") },
  import: { summary: "make operations of an OpenAPI document", load: () => import("./commands/import.ts") },
  audit: {
    summary: "hold the registry against its change log",
    load: () => import("./commands/audit.ts"),
  },
  token: { summary: "create, list, show or revoke tokens", load: () => import("./commands/token.ts") },
  secret: { summary: "set, list or delete secrets", load: () => import("./commands/secret.ts") },
  environment: {
    summary: "check the places where operations run, or install the host there",
    load: () => import("./commands/environment.ts"),
  },
  webhook: { summary: "try a webhook with a signed sample", load: () => import("./commands/webhook.ts") },
  schedule: {
    summary: "preview, pause, resume or start schedules, or see what they did",
    load: () => import("./commands/schedule.ts"),
  },
  plan: { summary: "how an agent would get to a target", load: () => import("./commands/plan.ts") },
  seek: { summary: "set an agent, or many, a target", load: () => import("./commands/seek.ts") },
  service: {
    summary: "what a service is at; deploy, undeploy, restart or scale it",
    load: () => import("./commands/service.ts"),
  },
  diagram: { summary: "a state machine as a picture", load: () => import("./commands/diagram.ts") },
  watch: { summary: "what happens to an agent or a service, as it happens", load: () => import("./commands/watch.ts") },
  agent: { summary: "what an agent is at; stop it, or tell it what is", load: () => import("./commands/agent.ts") },
  subscription: {
    summary: "deliver a made-up event to a subscription",
    load: () => import("./commands/subscription.ts"),
  },
  evaluate: { summary: "try an expression on an event", load: () => import("./commands/evaluate.ts") },
  runner: { summary: "run operations on this machine", load: () => import("./commands/runner.ts") },
  host: {
    summary: "run calls of the platform here: over HTTP, or as one job",
    load: () => import("./commands/host.ts"),
  },
  migrate: { summary: "bring a registry's tables up to this version", load: () => import("./commands/migrate.ts") },
  client: {
    summary: "write a typed client of the operations, or check one",
    load: () => import("./commands/client.ts"),
  },
  doctor: { summary: "look for what is wrong", load: () => import("./commands/doctor.ts") },
  explain: { summary: "say what an error code means", load: () => import("./commands/explain.ts") },
  completion: { summary: "completion for bash, zsh or fish", load: () => import("./commands/completion.ts") },
  __complete: { summary: "completions of the last word", load: () => import("./commands/__complete.ts"), hidden: true },
};

/** The whole tree, with the files of the commands named in `words` loaded; "all" loads every one. */
export async function createProgram(words: readonly string[] | "all"): Promise<Command> {
  const program = new Command("opctl")
    .description("Switchyard from the command line: operations are rows, called by name, run anywhere.")
    .option("-V, --version", "print the version")
    .option("--url <url>", "the platform's address (else SWITCHYARD_URL, else the credentials file)")
    .option("--token <token>", "the token (else SWITCHYARD_TOKEN, else the credentials file)")
    .option("--state <folder>", "folder that holds credentials.json", ".switchyard")
    .option("--json", "machine-readable: data as JSON on stdout, errors as JSON on stderr")
    .option("-q, --quiet", "no talk on stderr, only errors")
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      "after",
      `\nExit codes:\n${exitCodeLines()}\n\nStart: opctl dev, then opctl deploy examples/echo.ts#echo`,
    )
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  for (const [name, entry] of Object.entries(COMMANDS)) {
    const command = program.command(name, { hidden: entry.hidden === true }).copyInheritedSettings(program);
    if (words === "all" || words.includes(name))
      (await entry.load()).command.define(command.description(entry.summary));
    else command.summary(entry.summary).description(entry.summary);
  }
  return program;
}

function exitCodeLines(): string {
  return Object.entries(EXIT_CODES)
    .map(([code, meaning]) => `  ${code.padEnd(3)}  ${meaning}`)
    .join("\n");
}

export async function main(words: readonly string[]): Promise<void> {
  // The reader of a pipe may have had enough (`opctl get operations | head -1`): that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  // Before parsing there are no options yet; errors of the parsing itself still honour --json.
  const output = createOutput({
    json: words.includes("--json"),
    quiet: words.includes("--quiet") || words.includes("-q"),
  });
  let program: Command | undefined;
  try {
    program = await createProgram(words);
    const first = words.findIndex((word) => word === "help" || Object.hasOwn(COMMANDS, word));
    const topic = words[first + 1];
    const asksForHelp = words[first] === "help" && topic !== undefined;
    if (asksForHelp) checkCommand(topic);
    if (words.length === 0) program.help();
    // commander's own `help` knows no command within a command.
    await program.parseAsync(asksForHelp ? [...words.toSpliced(first, 1), "--help"] : words, { from: "user" });
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return;
    const error =
      thrown instanceof CommanderError
        ? await usageError(thrown, words, program)
        : await nearer(toSwitchyardError(thrown), words);
    output.problem(error.code === "usage" && error.hint === undefined ? withHelp(error, words, program) : error);
    if (process.env["SWITCHYARD_DEBUG"] && thrown instanceof Error)
      output.say((await import("node:util")).inspect(thrown));
    process.exitCode = exitCodeOf(error.code);
  }
}

/** Names of rows are mistyped as well, and a text that looks like a number is read as one. */
async function nearer(error: SwitchyardError, words: readonly string[]): Promise<SwitchyardError> {
  if (error.code === "definition_invalid") return (await import("./settings.ts")).withTextHint(error, words);
  if (error.code !== "entity_not_found" && error.code !== "operation_not_found") return error;
  return (await import("./nearest.ts")).withNearest(error);
}

/** commander answers `help NONSENSE` with the whole help; that hides the mistake. */
function checkCommand(word: string): void {
  if (Object.hasOwn(COMMANDS, word) || word.startsWith("-")) return;
  const near = didYouMean(word, Object.keys(COMMANDS));
  throw new SwitchyardError("usage", `Cannot find the command "${word}": it must be one of opctl's`, {
    hint: near === undefined ? "`opctl help` lists them." : `Did you mean "${near}"?`,
  });
}

async function usageError(
  error: CommanderError,
  words: readonly string[],
  program: Command | undefined,
): Promise<SwitchyardError> {
  // `opctl token` alone: commander has shown the help, and has no message of its own.
  const text =
    error.code === "commander.help"
      ? "a word is missing after the command"
      : ((error.code === "commander.missingMandatoryOptionValue" ? unknownOption(words, program) : undefined) ??
        error.message);
  const [message = "", ...rest] = text.replace(/^error: /, "").split("\n");
  const hints = rest.map((line) => line.replace(/^\((.*)\)$/, "$1"));
  if (error.code === "commander.unknownCommand" && words.includes("watch"))
    hints.push(
      "What is watched comes first: opctl watch service NAME, opctl watch agent NAME; opctl logs ID --follow for an execution.",
    );
  if (message === "missing required argument 'name'") hints.push(...(await kindFirst(words)));
  if (message === "missing required argument 'id'")
    hints.push(`\`opctl get ${words.includes("artifact") ? "artifacts" : "executions"}\` lists the ids.`);
  return new SwitchyardError("usage", `Cannot read the command line: ${message}`, {
    hint: [...hints, helpOf(words, program)].join(" "),
  });
}

/** commander tells a missing option first, which may be one that was misspelt. */
function unknownOption(words: readonly string[], program: Command | undefined): string | undefined {
  const at = words.findIndex((word) => Object.hasOwn(COMMANDS, word));
  const outer = program?.commands.find((each) => each.name() === words[at]);
  const inner = outer?.commands.find((each) => each.name() === words[at + 1]);
  const known = [program, outer, inner].flatMap((command) => command?.options.map(({ long }) => long ?? "") ?? []);
  const wrong = words
    .map((word) => word.split("=")[0] ?? "")
    .find((word) => /^--\w/.test(word) && !known.includes(word));
  if (wrong === undefined) return undefined;
  const near = didYouMean(wrong, known);
  return `unknown option '${wrong}'${near === undefined ? "" : `\n(Did you mean ${near}?)`}`;
}

/** `opctl describe echo`: the kind was forgotten. */
async function kindFirst(words: readonly string[]): Promise<string[]> {
  const { ALL_KIND_WORDS } = await import("./executions/records.ts");
  const [verb = "", name = "-"] = words.slice(words.findIndex((word) => Object.hasOwn(COMMANDS, word)));
  const takesKind = ["describe", "edit", "duplicate", "delete", "rollback"].includes(verb);
  if (!takesKind || name.startsWith("-") || ALL_KIND_WORDS.includes(name.replaceAll("_", "-"))) return [];
  return [`The kind comes first: opctl ${verb} ${name.startsWith("ex_") ? "execution" : "operation"} ${name}.`];
}

function withHelp(error: SwitchyardError, words: readonly string[], program: Command | undefined): SwitchyardError {
  return new SwitchyardError("usage", error.message, { cause: error, hint: helpOf(words, program) });
}

function helpOf(words: readonly string[], program: Command | undefined): string {
  const at = words.findIndex((word) => Object.hasOwn(COMMANDS, word));
  const [command, inner] = at < 0 ? [] : words.slice(at);
  const within = program?.commands.find((each) => each.name() === command)?.commands ?? [];
  const path = within.some((each) => each.name() === inner) ? [command, inner] : [command];
  return `\`${["opctl help", ...path].join(" ").trim()}\` shows the arguments and examples.`;
}
