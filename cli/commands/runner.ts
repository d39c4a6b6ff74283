/** `opctl runner`: this machine runs operations of an environment, by a connection that it makes itself. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { readRunnerWords, type RunnerWords } from "../runner/options.ts";
import { renderUnit } from "../runner/unit.ts";

type InstallWords = RunnerWords & { file?: string; print?: boolean; user: string; tokenFile?: string };

export const command: CommandModule = {
  define(runner: Command) {
    const start = withOptions(runner.command("start").description("connect and run operations until it is stopped"));
    start.action(async (words: RunnerWords) => {
      const settings = readRunnerWords(words);
      const { startRunner } = await import("../runner/start.ts");
      await startRunner(contextOf(start), settings);
    });
    examples(start, [
      ["opctl runner start --environment rack-1", "modules, confined; nothing else"],
      ["opctl runner start --environment rack-1 --capability gpu=true", "for operations that require a gpu"],
      ["opctl runner start --environment rack-1 --allow module --allow process:./thumb.sh", "a program too"],
    ]);
    const install = withOptions(
      runner.command("install").description("write a systemd unit that keeps a runner running"),
    )
      .option("--user <user>", "whom it runs as", "switchyard")
      .option("--token-file <file>", "where its token is: a line SWITCHYARD_TOKEN=…")
      .option("--file <file>", "where to write the unit (else switchyard-runner-ENVIRONMENT.service here)")
      .option("--print", "print the unit and write nothing");
    install.action((words: InstallWords) => installRunner(contextOf(install), words));
    examples(install, [
      ["opctl runner install --environment rack-1 --print", "look at it"],
      ["opctl runner install --environment rack-1 --allow module", "write it, and say what comes next"],
    ]);
    const list = runner
      .command("list")
      .description("the runners of an environment")
      .requiredOption("-e, --environment <name>", "the environment");
    list.action(async ({ environment }: { environment: string }) => {
      const context = contextOf(list);
      const answer = await context.client.request("GET", `/runners/${encodeURIComponent(environment)}`);
      const { listRunners } = await import("../runner/list.ts");
      listRunners(context, answer.text);
    });
  },
};

function withOptions(command: Command): Command {
  return command
    .requiredOption("-e, --environment <name>", "the environment that it runs for; its adapter is runner")
    .option("--name <name>", "what to call this one (else the machine's name)")
    .option("--slots <count>", "calls at once (else one for each processor)")
    .option("--capability <name=value>", "what this machine has; repeatable", collect)
    .option(
      "--allow <what>",
      "module, python, process:/path, process:./path, container:image*, http:host; repeatable, else module alone",
      collect,
    )
    .option("--runtime <runtime>", "what runs modules: deno (confined) or node (not)", "deno")
    .option(
      "--service-host <address>",
      "an address of this machine that services listen on and are reached at (else 127.0.0.1, through the runner)",
    );
}

function installRunner(context: Context, words: InstallWords): void {
  const { environment, name, slots, capability = [], runtime = "deno" } = words;
  const settings = readRunnerWords(words);
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(words.user)) {
    throw new SwitchyardError("usage", `Cannot run as "${words.user}": --user must be a user's name`);
  }
  const tokenFile = words.tokenFile ?? `/etc/switchyard/runner-${environment}.env`;
  if (!/^\/[A-Za-z0-9_@:.,/+-]+$/.test(tokenFile)) {
    throw new SwitchyardError("usage", `Cannot read the token from "${tokenFile}": it must be an absolute plain path`);
  }
  // A relative path of the allow-list means the folder that the command is given in.
  const allow = settings.allowWords.map((word) =>
    /^process:\.{1,2}\//.test(word) ? `process:${path.resolve(word.slice("process:".length))}` : word,
  );
  const opctl = process.argv[1] ?? "opctl";
  const command = [process.execPath, path.resolve(opctl), "runner", "start", "--environment", environment];
  if (name !== undefined) command.push("--name", name);
  if (slots !== undefined) command.push("--slots", slots);
  for (const word of capability) command.push("--capability", word);
  for (const word of allow) command.push("--allow", word);
  if (runtime !== "deno") command.push("--runtime", runtime);
  if (words.serviceHost !== undefined) command.push("--service-host", words.serviceHost);
  const { url } = context.client.credentials;
  const unit = renderUnit({ environment, url, command, user: words.user, tokenFile });
  if (words.print === true) return context.output.data(unit);
  const service = `switchyard-runner-${environment}.service`;
  const file = words.file ?? service;
  writeFileSync(file, unit, { mode: 0o644 });
  context.output.say(`written: ${file}. Next, as root where it shall run:`);
  context.output.say(`  useradd --system --no-create-home ${words.user}`);
  context.output.say(`  install -d -m 0700 ${path.dirname(tokenFile)}`);
  context.output.say(
    `  opctl token create ${environment}-runner --scope runner:${environment}   (as an admin; prints it once)`,
  );
  context.output.say(`  install -m 0600 /dev/null ${tokenFile} and put into it: SWITCHYARD_TOKEN=sy_…`);
  context.output.say(`  install -m 0644 ${file} /etc/systemd/system/${service}`);
  context.output.say(`  systemctl daemon-reload && systemctl enable --now ${service}`);
  if (context.globals.json) context.output.value({ file });
}
