/** `opctl client`: a typed client of the registry's operations as one file, and whether such a file is still true. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";

type Options = { group?: string[]; operation?: string[]; all?: boolean; output?: string };

export const command: CommandModule = {
  define(client: Command) {
    const typescript = client
      .command("typescript")
      .description("write a client in TypeScript: one file, no dependency");
    typescript
      .option("-g, --group <name>", "only operations of this group; repeatable", collect)
      .option("--operation <name>", "only this operation; repeatable", collect)
      .option("--all", "also the platform's own operations")
      .option("-o, --output <file>", "write there; without it to stdout")
      .action(async (options: Options) => generate(contextOf(typescript), options));
    examples(typescript, [
      ["opctl client typescript > ops.ts", "your own operations, with their types"],
      ["opctl client typescript --group billing -o src/ops.ts", "those of one group"],
    ]);
    const check = client.command("check").description("compare such a file with the registry");
    check
      .argument("<file>", "what `opctl client typescript` wrote")
      .addHelpText("after", "\nExit code 0: it is what would be written now. 1: operations have changed.")
      .action(async (file: string) => checkFile(contextOf(check), file));
    examples(check, [["opctl client check src/ops.ts", "in CI: exit code 1 when an operation's types have changed"]]);
  },
};

async function generate(context: Context, { group = [], operation = [], all = false, output }: Options): Promise<void> {
  const [{ readOperations }, { generateClient }] = await Promise.all([
    import("../typed-client/document.ts"),
    import("../typed-client/generate.ts"),
  ]);
  const selection = { groups: group, operations: operation, all };
  const found = await readOperations(context.client, selection);
  const text = generateClient(found, selection);
  if (output === undefined) context.output.data(text);
  else write(output, text);
  const count = found.operations.length;
  context.output.say(`${count} operation${count === 1 ? "" : "s"}${output === undefined ? "" : ` in ${output}`}.`);
}

async function checkFile(context: Context, file: string): Promise<void> {
  const [{ readOperations }, { parseHeader }, { compare }] = await Promise.all([
    import("../typed-client/document.ts"),
    import("../typed-client/header.ts"),
    import("../typed-client/compare.ts"),
  ]);
  const header = parseHeader(read(file), file);
  // A name that was asked for and is gone is one of the answers, not an error.
  const found = await readOperations(context.client, { ...header.selection, mayMiss: true });
  const changes = compare(header, found.operations);
  if (context.globals.json) context.output.value(changes);
  else if (changes.length > 0) {
    context.output.data(changes.map(({ operation, change }) => `${change.padEnd(8)} ${operation}`).join("\n"));
  }
  if (changes.length === 0) return context.output.say(`${file} is what would be written now.`);
  context.output.say(`Write it anew: opctl client typescript, with the options that it was written with.`);
  context.exitWith(1);
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new SwitchyardError(
      "usage",
      `Cannot write "${file}": its folder must be there and writable; ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new SwitchyardError("usage", `Cannot read "${file}": it must be a file; ${(cause as Error).message}`, {
      cause,
    });
  }
}
