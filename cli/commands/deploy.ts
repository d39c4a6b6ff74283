/**
 * `opctl deploy FILE#EXPORT`: a function in a file becomes an operation. Bundles, reads the types, stores code, module
 * and operation. Rewrites only the operation it names, and of that only what was asked for.
 */
import path from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { NAME_PATTERN } from "../../src/model/names.ts";
import { buildModule, type BuiltModule } from "../build/build-module.ts";
import { exampleCall } from "../build/example-call.ts";
import { snakeCase } from "../build/snake-case.ts";
import { storeModule, type Deployed, type DeployTarget } from "../build/store-module.ts";
import { watchFiles } from "../build/watch-files.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";

type Options = {
  name?: string;
  module?: string;
  group?: string;
  timeoutMs?: number;
  environment?: string;
  dryRun?: boolean;
  watch?: boolean;
};

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument(
        "<file#export>",
        "a TypeScript, JavaScript or Python file; #export may be left out where there is no choice",
      )
      .option("--name <name>", "the operation's name (else the export's, in snake_case)")
      .option("--module <name>", "the module's name (else the file's, in snake_case)")
      .option("--group <group>", "the operation's group")
      .option("--timeout-ms <n>", "the operation's time-out in milliseconds", parseMilliseconds)
      .option("--environment <name>", "where the operation runs")
      .option("--dry-run", "bundle and read the types; store nothing")
      .option("--watch", "go on, and deploy again whenever a file that went in is saved")
      .action(async (source: string, options: Options) => {
        const context = contextOf(command);
        if (options.watch === true) await watch(context, source, options);
        else await deploy(context, source, options);
      });
    examples(command, [
      ["opctl deploy examples/echo.ts#echo", "store it as the operation echo"],
      ["opctl deploy examples/echo.ts#echo --name my_demo_operation", "under a name of its own"],
      ["opctl deploy examples/echo.ts#echo --dry-run", "only say what it would store"],
      ["opctl deploy examples/word_count.py#word_count --environment rack-1", "a Python function, on a runner"],
      ["opctl deploy examples/echo.ts#echo --watch", "again on every save"],
    ]);
  },
};

function parseMilliseconds(text: string): number {
  if (/^[1-9][0-9]*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number of milliseconds.");
}

type Source = { file: string; export: string | undefined };

function parseSource(source: string): Source {
  const [, file = source, name] = /^(.+?)(?:#([A-Za-z_$][\w$]*))?$/.exec(source) ?? [];
  return { file, export: name };
}

function targetOf(source: Source, built: BuiltModule, options: Options): DeployTarget {
  const base = path.basename(source.file).replace(/\.(?:[cm]?[jt]sx?|py)$/, "");
  const module = options.module ?? snakeCase(base.replaceAll(".", "_"));
  const operation = options.name ?? (built.export === "default" ? module : snakeCase(built.export));
  return {
    module: checkName("module", "--module", module, base),
    operation: checkName("operation", "--name", operation, built.export),
    group: options.group,
    timeoutMs: options.timeoutMs,
    environment: options.environment,
  };
}

/** `name`, if it can be one; `from` is what it was derived from. */
function checkName(what: string, option: string, name: string | undefined, from: string): string {
  if (name !== undefined && NAME_PATTERN.test(name)) return name;
  throw new SwitchyardError(
    "usage",
    `Cannot name the ${what} "${name ?? from}": a name must match ${NAME_PATTERN.source}; it does not`,
    { hint: `Give it one with ${option}.` },
  );
}

async function deploy(context: Context, text: string, options: Options, unchanged?: BuiltModule): Promise<BuiltModule> {
  const source = parseSource(text);
  const built = await buildModule(source.file, source.export);
  if (unchanged !== undefined && sameModule(built, unchanged)) return built;
  const target = targetOf(source, built, options);
  for (const warning of built.warnings) context.output.warn(warning);
  if (options.dryRun === true) {
    report(context, built, target, undefined);
    return built;
  }
  const deployed = await storeModule(context.client, built, target);
  for (const warning of deployed.warnings) context.output.warn(warning);
  report(context, built, target, deployed);
  return built;
}

function sameModule(a: BuiltModule, b: BuiltModule): boolean {
  return a.bundle.sha256 === b.bundle.sha256 && JSON.stringify(a.exports) === JSON.stringify(b.exports);
}

function report({ output }: Context, built: BuiltModule, target: DeployTarget, deployed: Deployed | undefined): void {
  const types = built.exports[built.export];
  const resolved = deployed?.operation.meta.resolved;
  const input = resolved?.input_type ?? types?.input.name ?? null;
  const outputType = resolved?.output_type ?? types?.output.name ?? null;
  const { sha256, sizeBytes } = built.bundle;
  if (output.json) {
    output.value({
      operation: target.operation,
      revision: deployed?.operation.meta.revision ?? null,
      change: deployed?.change ?? "dry_run",
      module: target.module,
      sha256,
      size_bytes: sizeBytes,
      uploaded: deployed?.uploaded ?? false,
      exports: Object.keys(built.exports),
      input_type: input,
      output_type: outputType,
      warnings: [...built.warnings, ...(deployed?.warnings ?? [])],
    });
    return;
  }
  const done = deployed === undefined ? "would be stored" : deployed.uploaded ? "uploaded" : "already stored";
  const at = deployed === undefined ? "" : `@${deployed.operation.meta.revision}`;
  output.data(
    [
      `module     ${target.module}  ${sha256.slice(0, 12)}  ${sizeBytes} bytes, ${done}  (${Object.keys(built.exports).join(", ")})`,
      `types      ${input ?? unnamed(types?.input.schema)} → ${outputType ?? unnamed(types?.output.schema)}`,
      `operation  ${target.operation}${at}  ${target.module}:${built.export}  ${deployed?.change ?? "would be written"}`,
    ].join("\n"),
  );
  if (deployed !== undefined) output.say(`Call it:   ${exampleCall(target.operation, types?.input.schema)}`);
}

function unnamed(schema: unknown): string {
  return schema === true || schema === undefined ? "any" : "(inline)";
}

/** Never ends by itself. A failure is said and the watching goes on. */
async function watch(context: Context, source: string, options: Options): Promise<void> {
  let last: BuiltModule | undefined;
  await watchFiles([path.resolve(parseSource(source).file)], async () => {
    try {
      last = await deploy(context, source, options, last);
      context.output.say(`Watching ${last.files.length} file${last.files.length === 1 ? "" : "s"}; Ctrl-C ends.`);
    } catch (error) {
      if (!(error instanceof SwitchyardError)) throw error;
      context.output.problem(error);
    }
    return last?.files ?? [];
  });
}
