/** `opctl environment`: looks at the places where operations run, and puts the host there. */
import { Option, type Command } from "commander";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { checkEnvironments, isFine, renderChecks } from "../environments/check.ts";
import type { InstallWords } from "../environments/installer.ts";

export const command: CommandModule = {
  define(environment: Command) {
    const check = environment
      .command("check")
      .description("look whether environments are reachable and allowed, how fast, and what is missing")
      .argument("[name]", "one of them; else all")
      .addHelpText("after", "\nIt runs nothing. Exit code 0: nothing is missing. 1: something is.")
      .action((name: string | undefined) => checkAll(contextOf(check), name));
    examples(check, [
      ["opctl environment check", "all of them"],
      ["opctl environment check lambda-eu --json", "one, with all that was found"],
    ]);
    const install = environment
      .command("install")
      .description("put the host into an environment, with your own credentials of the cloud")
      .argument("<name>", "the environment")
      .option("--dry-run", "say what would be done, and do nothing")
      .option("--role <arn>", "lambda: the role that the function runs as (else one is made)")
      .option("--memory-mb <count>", "lambda: memory of the function (else 1024 for a new one)")
      .option("--timeout-s <count>", "lambda: the longest that a call may take (else 900 for a new one)")
      .addOption(
        new Option("--architecture <name>", "lambda: the processor (else arm64 for a new one)").choices([
          "arm64",
          "x86_64",
        ]),
      )
      .addHelpText(
        "after",
        "\nFor lambda it reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; the platform never sees them.",
      )
      .action(async (name: string, words: InstallWords) => {
        const { installEnvironment } = await import("../environments/install.ts");
        await installEnvironment(contextOf(install), name, words);
      });
    examples(install, [
      ["opctl environment install lambda-eu --dry-run", "what it would do"],
      ["opctl environment install lambda-eu", "do it; a second time there is nothing to do"],
    ]);
  },
};

async function checkAll(context: Context, name: string | undefined): Promise<void> {
  const { client, globals, output } = context;
  const checks = await checkEnvironments(client, name);
  if (globals.json) output.value(checks);
  else output.data(renderChecks(checks, { facts: name !== undefined }));
  if (!checks.every(isFine)) context.exitWith(1);
}
